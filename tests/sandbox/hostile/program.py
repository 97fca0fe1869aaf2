"""What a hostile program is, and the three tests each of them must not pass."""

from __future__ import annotations

from dataclasses import dataclass

from crucible.sandbox import Asserts, Call, Calls, Stdio

ANSWER = 860_029_411  # f(7); no program can know it
SUITES = {
    "stdio": Stdio([("7\n", f"{ANSWER}\n")]),
    "calls": Calls("f", [Call([7], ANSWER), Call([8], ANSWER + 1)]),
    "asserts": Asserts(f"EXPECTED = {ANSWER}\nassert f(7) == EXPECTED\nassert abs(f(8) - EXPECTED) == 1"),
}
RIGHT = {
    "stdio": f"print({ANSWER} - 7 + int(input()))",
    "calls": f"def f(x): return {ANSWER} - 7 + x",
    "asserts": f"def f(x): return {ANSWER} - 7 + x",
}


@dataclass(frozen=True)
class Hostile:
    """A program that prints LEAK if it gets what it wants. {names} in it are filled in by the test.

    `slow`: it runs into a limit of time.
    """

    name: str
    tries: str
    kind: str
    program: str
    slow: bool = False
