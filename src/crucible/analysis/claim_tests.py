"""The tests behind claims. Each takes the measured values of the arms and gives `Evidence`.

The unit is the run: arms are compared over seeds, paired by seed where both sides have them in common (the same seed
draws the same prompts), otherwise by Welch's test. p-values are two-sided. Where a claim says several things at once
its p-value is the largest of them (all must be shown); where one of them points the other way it is the smallest of
those that do, times their number.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np

from crucible.analysis.arms import Arm
from crucible.analysis.entropy_theorem import quadrant_signs
from crucible.analysis.entropy_theorem_runs import COVARIANCE, agreement, pairs_of
from crucible.analysis.measured import Measured
from crucible.analysis.scalars import scalar
from crucible.analysis.statistics.difference import Difference, paired_test, unpaired_test
from crucible.errors import UserError

ARM_OPTIONS = {"a", "b", "c", "d", "arm", "arms", "low", "high"}
SIGNS = {"pa_hp": -1, "na_lp": -1, "pa_lp": 1, "na_hp": 1}  # arXiv 2509.20712, section 3.2


@dataclass(frozen=True, slots=True)
class Part:
    """One comparison: what is estimated, the estimate with its interval and p. `agrees` with the claim?"""

    what: str
    difference: Difference
    agrees: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    """`supports`: does it point the way the claim says? `exact`: decided without statistics. `missing`: not run."""

    parts: tuple[Part, ...] = ()
    supports: bool = False
    p: float = math.nan
    exact: bool | None = None
    missing: tuple[str, ...] = ()
    note: str = ""


class Values:
    """The values of the arms' runs, each read once."""

    def __init__(self, arms: Mapping[str, Arm], root: Path):
        self.arms, self.root = arms, root
        self._measured = {key: [Measured(run) for run in arm.runs] for key, arm in arms.items()}

    def of(self, arm: str, value: str) -> dict[int, float]:
        """The value of each run of an arm by seed; runs without it are left out."""
        found = {m.run.seed: scalar(m, value) for m in self._measured[arm]}
        return {seed: v for seed, v in found.items() if v is not None}

    def runs(self, arm: str) -> list[Measured]:
        return self._measured[arm]

    def label(self, arm: str) -> str:
        return self.arms[arm].label

    def missing(self, arms: Sequence[str], value: str) -> tuple[str, ...]:
        """Arms without a single value."""
        lacking = [arm for arm in arms if not self.of(arm, value)]
        return tuple(f"{self.label(arm)} has {f'no {value}' if self.arms[arm].runs else 'no runs'}" for arm in lacking)


def compare(a: Mapping[int, float], b: Mapping[int, float]) -> Difference:
    """a - b, paired by seed where at least two seeds are common and none is left over on the smaller side."""
    common = sorted(a.keys() & b.keys())
    if len(common) >= 2 and len(common) == min(len(a), len(b)):
        return paired_test([b[s] for s in common], [a[s] for s in common], unit="seeds")
    return unpaired_test(list(b.values()), list(a.values()), unit="seeds")


def combined(parts: Sequence[Part], note: str = "") -> Evidence:
    """All parts must be shown: see the module."""
    against = [p for p in parts if not p.agrees]
    if against:
        smallest = min((p.difference.p for p in against if not math.isnan(p.difference.p)), default=math.nan)
        return Evidence(tuple(parts), False, min(1.0, smallest * len(against)), note=note)
    p = max((part.difference.p for part in parts), default=math.nan)
    return Evidence(tuple(parts), True, math.nan if any(math.isnan(x.difference.p) for x in parts) else p, note=note)


def larger(values: Values, *, a: str | list[str], b: str | list[str], value: str) -> Evidence:
    """Every arm of `a` has a larger value than every arm of `b`."""
    left, right = ([x] if isinstance(x, str) else list(x) for x in (a, b))
    if missing := values.missing([*left, *right], value):
        return Evidence(missing=missing)
    return combined([_larger(values, x, y, value) for x in left for y in right])


def between(values: Values, *, arm: str, low: str, high: str, value: str) -> Evidence:
    """The arm's value is larger than that of `low` and smaller than that of `high`."""
    if missing := values.missing([arm, low, high], value):
        return Evidence(missing=missing)
    return combined([_larger(values, arm, low, value), _larger(values, high, arm, value)])


def ordered(values: Values, *, arms: list[str], value: str) -> Evidence:
    """The value falls from arm to arm in the order given.

    Test: the linear contrast of each seed that all arms have, against 0 (t). A trend that is there while two
    neighbours stand the other way round is evidence against the order as far as that pair is significant.
    """
    if missing := values.missing(arms, value):
        return Evidence(missing=missing)
    found = [values.of(arm, value) for arm in arms]
    seeds = sorted(set.intersection(*(set(f) for f in found)))
    if not seeds:
        return Evidence(missing=("the arms have no seed in common",))
    weights = np.linspace(1.0, -1.0, len(arms))
    contrast = [float(weights @ [f[s] for f in found]) / float(weights @ weights) for s in seeds]
    step = 2.0 / (len(arms) - 1)
    trend = paired_test(np.zeros(len(seeds)), np.array(contrast) * step, unit="seeds")
    first = Part(f"{value}: fall from arm to arm (linear contrast)", trend, trend.interval.value > 0)
    pairs = [_larger(values, x, y, value) for x, y in pairwise(arms)]
    if not first.agrees:
        return Evidence((first, *pairs), False, trend.p)
    reversed_pairs = [p for p in pairs if not p.agrees]
    if reversed_pairs:
        against = combined(reversed_pairs)
        return Evidence((first, *pairs), False, against.p, note="the trend is there, the order is not complete")
    return Evidence((first, *pairs), True, trend.p)


def beyond(
    values: Values, *, arm: str | list[str], value: str, above: float | None = None, below: float | None = None
) -> Evidence:
    """The arm's value (of each arm) is above, or below, a number."""
    if (above is None) == (below is None):
        raise UserError("a test of kind beyond needs above or below, one of them")
    limit, sign, word = (above, 1, "above") if above is not None else (below, -1, "below")
    names = [arm] if isinstance(arm, str) else list(arm)
    if missing := values.missing(names, value):
        return Evidence(missing=missing)
    parts = []
    for name in names:
        mine = list(values.of(name, value).values())
        found = paired_test(np.full(len(mine), limit), mine, unit="seeds")
        what = f"{value} of {values.label(name)}" + (f" - {limit:g}" if limit else "") + f" (claimed {word} 0)"
        parts.append(Part(what, found, sign * found.interval.value > 0))
    return combined(parts)


def every_run(values: Values, *, arm: str | list[str], value: str, above: float) -> Evidence:
    """In every single run of the arm (of each arm) the value is above a number: a fact, no test."""
    names = [arm] if isinstance(arm, str) else list(arm)
    if missing := values.missing(names, value):
        return Evidence(missing=missing)
    lowest = {name: min(values.of(name, value).values()) for name in names}
    listed = ", ".join(f"{values.label(name)} {least:.3g}" for name, least in lowest.items())
    return Evidence(exact=min(lowest.values()) > above, note=f"{value}, the lowest run of each arm: {listed}")


def not_larger(values: Values, *, a: str, b: str, value: str, factor: float) -> Evidence:
    """The value of `a` is less than `factor` times that of `b` (non-inferiority; the margin is ours)."""
    if missing := values.missing([a, b], value):
        return Evidence(missing=missing)
    scaled = {seed: factor * v for seed, v in values.of(b, value).items()}
    found = compare(scaled, values.of(a, value))
    what = f"{value}: {factor:g} x {values.label(b)} - {values.label(a)}"
    return combined([Part(what, found, found.interval.value > 0)])


def entropy_agreement(values: Values, *, arms: list[str], covariance: str = COVARIANCE) -> Evidence:
    """Entropy changes go with minus the logged covariance: a positive correlation (block bootstrap over runs)."""
    pairs = [p for arm in arms for m in values.runs(arm) if (p := pairs_of(m, covariance)) is not None]
    try:
        found = agreement(pairs)
    except UserError as error:
        return Evidence(missing=(str(error),))
    low, high = found.correlation_interval
    held, reverse = low > 0, high < 0
    return Evidence(exact=None if not (held or reverse) else held, supports=found.correlation > 0, note=str(found))


def entropy_signs(values: Values) -> Evidence:
    """The four token kinds move the entropy of a tabular softmax as the paper says: computed, no statistics."""
    found = quadrant_signs()
    right = all(np.sign(found[kind]) == sign for kind, sign in SIGNS.items())
    listed = ", ".join(f"{kind} {change:+.2e}" for kind, change in found.items())
    return Evidence(exact=right, note=f"entropy changes of one step: {listed}")


def tested(values: Values, *, tests: list[str]) -> Evidence:
    """The claim is about the implementation, and unit tests (path::name) hold it. They must exist."""
    for name in tests:
        path, _, function = name.partition("::")
        if function not in _functions(values.root / path):
            raise UserError(f"{name}: no such test in {values.root}")
    return Evidence(exact=True, note="by unit tests: " + ", ".join(tests))


def _larger(values: Values, a: str, b: str, value: str) -> Part:
    found = compare(values.of(a, value), values.of(b, value))
    return Part(f"{value}: {values.label(a)} - {values.label(b)}", found, found.interval.value > 0)


@lru_cache(maxsize=64)
def _functions(path: Path) -> frozenset[str]:
    if not path.is_file():
        return frozenset()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))
