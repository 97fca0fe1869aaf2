"""How solutions are verified, and which of the accepted ones make the training set."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, get_args

from crucible.errors import UserError, nearest

Rule = Literal["tests", "judge", "both", "either", "mean"]
Control = Literal["verified", "none", "wrong_only", "correct_only"]
RULES: tuple[Rule, ...] = get_args(Rule)
CONTROLS: tuple[Control, ...] = get_args(Control)


class Verify:
    """The verifier: a test suite at a threshold, a judge, or both; and what is kept of what it accepts.

    D(tau) = {(p, s): V(s; T) >= tau}, V = passed / |T| (Verification Limits, arXiv 2509.20837, known to us from a
    third-party note; ties at tau pass). `suite`, `tests` (m), `error_rate` (share of tests that expect a wrong value;
    with `errors_grow` in proportion to the difficulty), `suite_seed`: see `crucible.data.programs.suites`; of a
    pipeline's directory `suite` may be any suite's name there.

    `rule`: tests (V >= tau), judge (its score >= `cut`), both, either, or mean: weight * V + (1 - weight) * judge
    >= tau. A solution without a verdict of what the rule asks for is not accepted.

    `control`: verified; none: every solution; wrong_only, correct_only: by the gold tests, whatever the verifier says.
    `distinct`: at most so many accepted solutions of a problem, with different forms; null: all. `at_least`: only
    problems with so many different accepted forms. `problems`: so many problems, drawn by `seed`; null: all. `size`: so
    many solutions, drawn by `seed`; null: all there are, the natural size. Exact repetitions count once. `seed` null:
    the run's own.

    Errors: UserError for values out of range, and for a rule that needs a judge where there is none.
    """

    def __init__(
        self,
        *,
        tau: Annotated[float, "> 0, <= 1"] = 1.0,
        suite: str = "minimal",
        tests: Annotated[int, ">= 1"] = 4,
        error_rate: Annotated[float, ">= 0, <= 1"] = 0.0,
        errors_grow: bool = False,
        suite_seed: int = 0,
        judge: Any = None,
        rule: Rule = "tests",
        cut: Annotated[float, ">= 0, <= 1"] = 0.5,
        weight: Annotated[float, ">= 0, <= 1"] = 0.5,
        control: Control = "verified",
        distinct: Annotated[int, ">= 1"] | None = None,
        at_least: Annotated[int, ">= 1"] = 1,
        problems: Annotated[int, ">= 1"] | None = None,
        size: Annotated[int, ">= 1"] | None = None,
        seed: int | None = None,
    ):
        for name, value, low in (
            ("tau", tau, 1e-9),
            ("error_rate", error_rate, 0),
            ("cut", cut, 0),
            ("weight", weight, 0),
        ):
            if not low <= value <= 1:
                raise UserError(f"verify.{name}={value}: must be {'above 0' if low else 'at least 0'} and at most 1")
        for name, number in {
            "tests": tests,
            "distinct": distinct,
            "at_least": at_least,
            "problems": problems,
            "size": size,
        }.items():
            if number is not None and number < 1:
                raise UserError(f"verify.{name}={number}: must be at least 1")
        for name, text, known in (("rule", rule, RULES), ("control", control, CONTROLS)):
            if text not in known:
                raise UserError(f"verify.{name}={text}{nearest(text, known)}: one of {', '.join(known)}")
        if rule != "tests" and judge is None:
            raise UserError(f"verify.rule={rule} needs a judge: choose data/verify/judge=embedded or endpoint")
        self.tau, self.suite, self.tests, self.error_rate = tau, suite, tests, error_rate
        self.errors_grow, self.suite_seed, self.judge, self.rule = errors_grow, suite_seed, judge, rule
        self.cut, self.weight, self.control, self.distinct = cut, weight, control, distinct
        self.at_least, self.problems, self.size, self.seed = at_least, problems, size, seed

    @property
    def suite_name(self) -> str:
        return SuiteSpec(self.suite, self.tests, self.error_rate, self.errors_grow, self.suite_seed).name

    def accepts(self, v: float | None, judge: float | None) -> bool:
        if self.rule == "mean":
            return (
                v is not None and judge is not None and _reached(self.weight * v + (1 - self.weight) * judge, self.tau)
            )
        passed, said = v is not None and _reached(v, self.tau), judge is not None and judge >= self.cut
        return {"tests": passed, "judge": said, "both": passed and said, "either": passed or said}[self.rule]

    def reason(self, v: float | None, judge: float | None) -> str:
        """Why a solution is not accepted."""
        tests = "no tests" if v is None else f"V = {v:.3g}, tau = {self.tau:g}"
        said = "" if self.rule == "tests" else f"judge = {'no verdict' if judge is None else f'{judge:.3g}'}"
        return {"tests": tests, "judge": said}.get(self.rule, f"{tests}, {said}") + (
            "" if self.rule == "tests" else f" (rule {self.rule})"
        )


def _reached(value: float, tau: float) -> bool:
    """Ties pass, whatever the rounding of a share."""
    return value >= tau or math.isclose(value, tau, rel_tol=0.0, abs_tol=1e-9)


class SuiteSpec:
    """One synthetic suite of each problem, by strategy, number of tests and share of wrong ones."""

    def __init__(self, strategy: str, tests: int = 4, error_rate: float = 0.0, grows: bool = False, seed: int = 0):
        self.strategy, self.tests, self.error_rate, self.grows, self.seed = strategy, tests, error_rate, grows, seed

    @classmethod
    def parse(cls, text: str, *, grows: bool, seed: int) -> SuiteSpec:
        """strategy[:tests[:error rate]]. Errors: UserError."""
        strategy, *rest = text.split(":")
        try:
            tests, rate = int(rest[0]) if rest else 4, float(rest[1]) if len(rest) > 1 else 0.0
            if len(rest) > 2 or tests < 1 or not 0 <= rate <= 1:
                raise ValueError
        except ValueError:
            raise UserError(f"suite={text}: write strategy:tests:error_rate, for example structured:8:0.1") from None
        return cls(strategy, tests, rate, grows and rate > 0, seed)

    @property
    def name(self) -> str:
        """structured-8-e0.1"""
        if self.strategy == "gold":
            return "gold"
        rate = f"-e{self.error_rate:g}" + ("-grows" if self.grows else "") if self.error_rate else ""
        return f"{self.strategy}-{self.tests}{rate}" + (f"-s{self.seed}" if self.seed else "")
