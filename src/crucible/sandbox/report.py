"""What came of a run or a check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["passed", "failed", "error", "timeout", "cpu", "memory", "output", "disk"]
# passed: right; failed: a wrong answer; error: an exception, an exit, no answer; the rest: the limit it ran into


@dataclass(frozen=True, slots=True)
class Execution:
    """One program, run to its end. `ended` is "exited" or the limit that ended it; `code` is negative for a signal."""

    ended: str
    code: int
    stdout: bytes
    stderr: bytes
    wall_seconds: float
    cpu_seconds: float
    peak_mb: float  # resident memory seen, 0 where the program was over before the first look

    @property
    def ok(self) -> bool:
        return self.ended == "exited" and self.code == 0


@dataclass(frozen=True, slots=True)
class Test:
    """The outcome of one test; `text` is short and for people."""

    name: str
    outcome: Outcome
    text: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """The tests in the order of the suite, and what the program used and printed while they ran."""

    tests: tuple[Test, ...]
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    output: str = ""  # the first characters of what it printed

    @property
    def total(self) -> int:
        return len(self.tests)

    @property
    def passed(self) -> int:
        return sum(test.outcome == "passed" for test in self.tests)

    @property
    def fraction(self) -> float:
        """V(s; T) of arXiv 2509.20837: the share of the suite that the program passes."""
        return self.passed / self.total
