"""Two runs, or two groups of runs: what differs in their configs, in their curves, in their outcome."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from crucible.analysis.curves import Curve
from crucible.analysis.evaluation import Evaluation, evaluations, powers_up_to
from crucible.analysis.results import same
from crucible.analysis.runs import Run
from crucible.analysis.statistics import (
    Difference,
    Interval,
    avg_at_k_by_problem,
    batch_means_interval,
    compare_seeds,
    holm,
    mcnemar,
    mean_interval,
    paired_test,
    pass_at_k_by_problem,
    stratified_bootstrap,
)
from crucible.analysis.statistics.aggregates import mean
from crucible.analysis.statistics.interval import Values
from crucible.analysis.tables.selection import differing, repeatable, setting
from crucible.errors import UserError, nearest

METRICS = (
    "reward/mean", "true/success", "policy/entropy", "policy/kl_old", "policy/preserved_left",
    "policy/preserved_right", "policy/clip_fraction", "policy/grad_norm", "completion/length",
    "groups/without_signal", "perf/tokens_per_s",
)  # fmt: skip
EVERYWHERE = (-math.inf, math.inf)


@dataclass(frozen=True, slots=True)
class Line:
    """One measured thing on both sides. `over_seeds` and `over_problems` are b - a; None where there is no test.

    `p` is that of over_seeds (else of over_problems), corrected by Holm over the lines of its section.
    """

    name: str
    a: Interval
    b: Interval
    over_seeds: Difference | None = None
    over_problems: Difference | None = None
    p: float = math.nan


@dataclass(frozen=True, slots=True)
class Comparison:
    """config: option -> (values in a, values in b); varying: options on which the runs of a group differ themselves;
    bare: the names of runs that have no metrics."""

    a: tuple[Run, ...]
    b: tuple[Run, ...]
    config: Mapping[str, tuple[tuple[Any, ...], tuple[Any, ...]]]
    varying: Mapping[str, tuple[Any, ...]]
    curves: tuple[Line, ...]
    window: tuple[float, float] | None
    outcome: tuple[Line, ...]
    outcome_step: float | None
    not_compared: str = ""
    bare: tuple[str, ...] = ()


def compare(
    a: Sequence[Run], b: Sequence[Run], *, metrics: Sequence[str] = (), window: float = 0.1, level: float = 0.95
) -> Comparison:
    """Everything that `Comparison` holds. `metrics` are names of curves (default: `METRICS`, where both have them).

    Curves are compared in the last `window` (a share) of the steps that ALL runs have made, outcomes at the last
    evaluation that all have made, so a run that has not finished is compared at equal training.
    Errors: UserError for a run on both sides, an unknown metric, window not in (0, 1], level not in (0, 1), and where
    no run has any metrics.
    """
    if not 0 < window <= 1:
        raise UserError(f"window={window}: a share of the steps, above 0 and at most 1")
    if not 0 < level < 1:
        raise UserError(f"level={level}: the confidence of the intervals, between 0 and 1")
    twice = {run.path for run in a} & {run.path for run in b}
    if twice:
        raise UserError(f"{sorted(twice)[0]} is on both sides; a run cannot be compared with itself")
    bare = tuple(run.name for run in (*a, *b) if not run.rows("eval") and not run.curves(metrics or METRICS))
    if len(bare) == len(a) + len(b) and not any(run.curves() for run in (*a, *b)):
        states = ", ".join(f"{run.name} ({run.state})" for run in (*a, *b)[:4])
        raise UserError(f"nothing to compare: none of the {len(bare)} runs has metrics yet: {states}")
    config, varying = _config_differences(a, b)
    curves, steps = _curves(a, b, metrics, window, level)
    outcome, step, reason = _outcome(a, b, level)
    return Comparison(tuple(a), tuple(b), config, varying, curves, steps, outcome, step, reason, bare)


def _config_differences(
    a: Sequence[Run], b: Sequence[Run]
) -> tuple[dict[str, tuple[tuple[Any, ...], tuple[Any, ...]]], dict[str, tuple[Any, ...]]]:
    """Options whose sets of values differ between the sides; options that vary within a side."""
    sides = [[{**repeatable(run.config), "seed": run.seed} for run in side] for side in (a, b)]
    within = {name: tuple(values) for side in sides for name, values in differing(side).items()}
    between = {}
    for name in differing([*sides[0], *sides[1]]):
        left, right = (_distinct([config.get(name, "(not set)") for config in side]) for side in sides)
        if not _same_set(left, right):
            between[name] = (left, right)
    return between, within


def _curves(
    a: Sequence[Run], b: Sequence[Run], metrics: Sequence[str], window: float, level: float
) -> tuple[tuple[Line, ...], tuple[float, float] | None]:
    found = {run.path: run.curves(metrics or METRICS) for run in (*a, *b)}
    for name in metrics:
        if not any(name in curves for curves in found.values()):
            known = {n for run in (*a, *b) for n in run.curves()}
            raise UserError(f"no run has the metric {name}{nearest(name, known)}")
    ends = [max((float(curve.steps[-1]) for curve in curves.values()), default=0.0) for curves in found.values()]
    last = min(ends, default=0.0)
    if not last:
        return (), None
    first = last - window * last
    lines = []
    for name in metrics or METRICS:
        sides = [_windows(side, {p: c[name] for p, c in found.items() if name in c}, first, last) for side in (a, b)]
        if not all(sides):
            continue
        x, y = ([(seed, float(np.mean(v))) for seed, v in side] for side in sides)
        test = compare_seeds(x, y, level=level) if min(len(x), len(y)) > 1 else None
        lines.append(Line(name, _level(sides[0], level), _level(sides[1], level), over_seeds=test))
    return _corrected(lines), (first, last)


def _windows(side: Sequence[Run], curves: Mapping[str, Curve], first: float, last: float) -> list[tuple[Any, Values]]:
    """(seed, the finite values with first < step <= last) of each run that has any."""
    found = []
    for run in side:
        curve = curves[run.path].finite() if run.path in curves else None
        if curve is not None:
            chosen = curve.mean[(curve.steps > first) & (curve.steps <= last)]
            found += [(run.seed, chosen)] if len(chosen) else []
    return found


def _level(side: Sequence[tuple[Any, Values]], level: float) -> Interval:
    if len(side) == 1:
        return batch_means_interval(side[0][1], level=level)
    return _over_runs([float(v.mean()) for _, v in side], level, EVERYWHERE)


def _over_runs(values: Sequence[float], level: float, bounds: tuple[float, float]) -> Interval:
    return stratified_bootstrap(values, mean, level=level, resamples=10_000, method="t", bounds=bounds)


def _outcome(a: Sequence[Run], b: Sequence[Run], level: float) -> tuple[tuple[Line, ...], float | None, str]:
    """avg@n and pass@k of every data set at the last evaluation all runs have; or why there is none."""
    different = differing([setting(run.config) for run in (*a, *b)])
    if different:
        options = "; ".join(f"{n}: {', '.join(map(str, v))}" for n, v in list(different.items())[:4])
        return (), None, f"the runs were evaluated on other problems or in another way ({options})"
    found = {run.path: {(e.step, e.data, e.n): e for e in evaluations(run.rows("eval"))} for run in (*a, *b)}
    shared = set.intersection(*(set(known) for known in found.values()))
    if not shared:
        return (), None, "there is no evaluation (data set, samples, step) that all runs have made"
    step = max(key[0] for key in shared)
    lines: list[Line] = []
    for key in sorted(k for k in shared if k[0] == step):
        sides = [[(run.seed, found[run.path][key]) for run in side] for side in (a, b)]
        if len({len(e.right) for side in sides for _, e in side}) > 1:
            return (), None, f"the runs were evaluated on different numbers of problems of {key[1]}"
        lines += [_problem_line(sides, k, level) for k in (1, *powers_up_to(key[2]))]
    return _corrected(lines), float(step), ""


def _problem_line(sides: Sequence[Sequence[tuple[Any, Evaluation]]], k: int, level: float) -> Line:
    first = sides[0][0][1]
    name = f"{first.data} {f'avg@{first.n}' if k == 1 else f'pass@{k}'}"
    tables = [[(seed, _by_problem(e, k)) for seed, e in side] for side in sides]
    x, y = (np.mean([v for _, v in table], axis=0) for table in tables)
    single = first.n == 1 and len(sides[0]) == len(sides[1]) == 1
    problems = mcnemar(x, y) if single else paired_test(x, y, unit="problems", level=level)
    means = [[(seed, float(v.mean())) for seed, v in table] for table in tables]
    seeds = compare_seeds(means[0], means[1], level=level) if min(map(len, means)) > 1 else None
    intervals = [
        mean_interval(table[0][1], level=level)
        if len(table) == 1
        else _over_runs([v for _, v in scores], level, (0.0, 1.0))
        for table, scores in zip(tables, means, strict=True)
    ]
    return Line(name, intervals[0], intervals[1], over_seeds=seeds, over_problems=problems)


def _by_problem(e: Evaluation, k: int) -> Values:
    samples = np.full(len(e.right), e.n)
    return avg_at_k_by_problem(samples, e.right) if k == 1 else pass_at_k_by_problem(samples, e.right, k)


def _corrected(lines: Sequence[Line]) -> tuple[Line, ...]:
    tests = [line.over_seeds or line.over_problems for line in lines]
    p = holm([test.p if test else math.nan for test in tests])
    return tuple(replace(line, p=float(value)) for line, value in zip(lines, p, strict=True))


def _distinct(values: Sequence[Any]) -> tuple[Any, ...]:
    found: list[Any] = []
    for value in values:
        if not any(same(value, v) for v in found):
            found.append(value)
    return tuple(found)


def _same_set(a: Sequence[Any], b: Sequence[Any]) -> bool:
    return all(any(same(x, y) for y in b) for x in a) and all(any(same(x, y) for x in a) for y in b)
