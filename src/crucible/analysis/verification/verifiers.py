"""Verifiers over verdicts, written as text: who accepts what.

tests@0.8        V >= 0.8                      (a tie counts as a pass; b.1 of the note on 2509.20837: inferred)
judge@0.5        the judge's score >= 0.5
both@0.8+0.5     tests@0.8 and judge@0.5
either@0.8+0.5   tests@0.8 or judge@0.5
mean@0.8+0.5     0.5 V + (1 - 0.5) judge >= 0.8
sound@0.8        as tests@0.8, without the tests that are known to be wrong
all              everything: no verification
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from crucible.analysis.verification.verdicts import Verdict
from crucible.errors import UserError, nearest

SLACK = 1e-9
KINDS = ("tests", "judge", "both", "either", "mean", "sound", "all")
TEXT = re.compile(r"(?P<kind>\w+)(?:@(?P<one>[\d.]+)(?:\+(?P<two>[\d.]+))?)?")


@dataclass(frozen=True, slots=True)
class Verifier:
    """`label` is its text. `accepts` is None where it has no verdict: no tests, or no judge."""

    label: str
    accepts: Callable[[Verdict], bool | None]


def verifier(text: str) -> Verifier:
    """Errors: UserError for a text that means none."""
    match = TEXT.fullmatch(text.strip())
    kind = match["kind"] if match else text
    if match is None or kind not in KINDS:
        raise UserError(f"no verifier {text!r}{nearest(kind, KINDS)}; one of tests@TAU, judge@CUT, both@TAU+CUT, "
                        "either@TAU+CUT, mean@TAU+WEIGHT, sound@TAU, all")  # fmt: skip
    wanted = {"all": 0, "both": 2, "either": 2, "mean": 2}.get(kind, 1)
    levels = [float(level) for level in (match["one"], match["two"]) if level is not None]
    if len(levels) != wanted or any(not 0 <= level <= 1 for level in levels):
        form = {0: kind, 1: f"{kind}@0.8", 2: f"{kind}@0.8+0.5"}[wanted]
        raise UserError(f"verifier {text!r}: it is written {form}, with levels from 0 to 1")
    if kind == "all":
        return Verifier(text, lambda verdict: True)
    if kind == "judge":
        return Verifier(text, lambda verdict: _at_least(verdict.judge, levels[0]))
    if kind == "tests":
        return Verifier(text, lambda verdict: _at_least(verdict.v, levels[0]))
    if kind == "sound":
        return Verifier(text, lambda verdict: _at_least(verdict.sound_v, levels[0]))
    if kind == "mean":
        return Verifier(text, lambda d: _at_least(_mixed(d.v, d.judge, levels[1]), levels[0]))
    needed = all if kind == "both" else any
    return Verifier(text, lambda d: _joined(needed, _at_least(d.v, levels[0]), _at_least(d.judge, levels[1])))


def tests_at(tau: float) -> str:
    return f"tests@{tau:g}"


def _at_least(value: float | None, level: float) -> bool | None:
    return None if value is None else value >= level - SLACK


def _mixed(v: float | None, judge: float | None, weight: float) -> float | None:
    return None if v is None or judge is None else weight * v + (1 - weight) * judge


def _joined(needed: Callable[[list[bool]], bool], one: bool | None, two: bool | None) -> bool | None:
    return None if one is None or two is None else needed([one, two])
