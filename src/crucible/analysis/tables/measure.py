"""The score of one run in one column, and of each problem behind it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crucible.analysis.evaluation import COUNTS, VOTES
from crucible.analysis.frame import split_name
from crucible.analysis.rows import Row as MetricsRow
from crucible.analysis.rows import is_number
from crucible.analysis.runs import Run
from crucible.analysis.statistics import (
    all_at_k_by_problem,
    avg_at_k_by_problem,
    maj_at_k_by_problem,
    pass_at_k_by_problem,
)
from crucible.analysis.statistics.interval import Values
from crucible.analysis.tables.definition import Column
from crucible.errors import UserError, nearest

AT_K = re.compile(r"(?P<kind>pass|all|maj)@(?P<k>\d+)|(?P<avg>avg)@(?P<n>\d+|n)")
BY_PROBLEM = {"pass": pass_at_k_by_problem, "all": all_at_k_by_problem}


@dataclass(frozen=True, slots=True)
class Score:
    """`values` (M,) by data set; `by_problem` (P,) of each data set, None for what is not measured by problem."""

    run: Run
    values: tuple[float, ...]
    by_problem: tuple[Values, ...] | None = None
    samples: int | None = None

    @property
    def outcomes(self) -> Values | None:
        """Scores of all problems in one list."""
        return None if self.by_problem is None else np.concatenate(self.by_problem)


def scores_of(
    runs: Sequence[Run], column: Column, *, phase: str, data: Sequence[str], allow_mixed: bool
) -> list[Score]:
    """The scores of these runs; `phase` "before" measures the policy they started from.

    Errors: UserError for a metric that no run has, and, unless `allow_mixed`, for one that only some have (the start
    is measured by whichever runs have measured it).
    """
    if phase == "before" and (not data or column.of == "change"):
        return []  # training has not begun: there is no curve yet, and no change
    found = [_score(run, column, "before" if phase == "before" else column.of, data, allow_mixed) for run in runs]
    have = [score for score in found if score is not None]
    if runs and not have:
        known = sorted({name for run in runs for name in _known(run)})
        at = f" on {', '.join(data)}" if data else ""
        votes = " (maj@k needs votes_of_<n>, stored where a problem has one answer)" if "maj@" in column.metric else ""
        raise UserError(
            f"column {column.name}: no run has the metric {column.metric}{at}{votes or nearest(column.metric, known)}; "
            f"there are: {', '.join(known)}"
        )
    if len(have) < len(found) and not allow_mixed and phase != "before":
        lacking = [run.name for run, score in zip(runs, found, strict=True) if score is None]
        raise UserError(
            f"column {column.name}: mixed metrics: {column.metric} is in {len(have)} of {len(found)} runs of one row, "
            f"not in {', '.join(lacking[:3])}; narrow its `where`, or set allow_mixed=true to leave them out"
        )
    return _distinct(have) if phase == "before" else have


def data_sets(runs: Sequence[Run], column: Column) -> list[str]:
    """The data sets of a column: as it says, or the only one the runs were evaluated on; [] for curves.

    Errors: UserError where the runs have several and the column names none, or names one that they do not have.
    """
    names: dict[str, None] = {}
    for run in runs:
        for row in run.rows("eval"):
            names |= dict.fromkeys(_data_of(row))
    if column.data is not None:
        wanted = [column.data] if isinstance(column.data, str) else list(column.data)
        for data in wanted:
            if names and data not in names:
                raise UserError(
                    f"column {column.name}: no run was evaluated on {data}{nearest(data, names)}; there are: "
                    f"{', '.join(names)}"
                )
        return wanted
    if _is_curve(runs, column.metric):
        return []
    if len(names) > 1:
        raise UserError(f"column {column.name}: the runs have several data sets ({', '.join(names)}); say data: one")
    return list(names)


def _score(run: Run, column: Column, of: str, data: Sequence[str], allow_mixed: bool) -> Score | None:
    if not data:
        value = final_mean(run, column.metric, column.window)
        return None if math.isnan(value) else Score(run, (value,))
    if of == "change":
        before, after = (_evaluated(run, column, phase, data, allow_mixed) for phase in ("before", "after"))
        if before is None or after is None:
            return None
        values = tuple(b - a for a, b in zip(before.values, after.values, strict=True))
        if before.by_problem is None or after.by_problem is None:
            return Score(run, values)
        pairs = zip(before.by_problem, after.by_problem, strict=True)
        return Score(run, values, tuple(b - a for a, b in pairs), after.samples)
    return _evaluated(run, column, of, data, allow_mixed)


def _evaluated(run: Run, column: Column, phase: str, data: Sequence[str], allow_mixed: bool) -> Score | None:
    rows = [row for row in run.rows("eval") if row.get("phase") == phase]
    if not rows:
        return None
    row = rows[0] if phase == "before" else rows[-1]
    match = AT_K.fullmatch(column.metric)
    if not match:
        stored = [row.get(f"eval/{name}/{column.metric}") for name in data]
        known = [float(value) for value in stored if value is not None and is_number(value)]
        return Score(run, tuple(known)) if len(known) == len(stored) else None
    parts = []
    for name in data:
        part = _problems(run, row, name, match, allow_mixed)
        if part is None:
            return None
        parts.append(part)
    return Score(run, tuple(float(v.mean()) for v, _ in parts), tuple(v for v, _ in parts), parts[0][1])


def _problems(
    run: Run, row: MetricsRow, data: str, wanted: re.Match[str], allow_mixed: bool
) -> tuple[Values, int] | None:
    """(score of each problem, samples a problem) out of right answers and votes; avg@8 is not avg@16 of a policy."""
    for key, right in row.items():
        match = COUNTS.fullmatch(key)
        if not match or match["data"] != data or not isinstance(right, list) or not right:
            continue
        n = int(match["n"])
        samples = np.full(len(right), n)
        if wanted["avg"]:
            return (avg_at_k_by_problem(samples, right), n) if wanted["n"] in ("n", str(n)) or allow_mixed else None
        kind, k = wanted["kind"], int(wanted["k"])
        if k > n:
            raise UserError(f"{kind}@{k} of {run.name} on {data}: it has {n} samples a problem; k is at most {n}")
        if kind in BY_PROBLEM:
            return BY_PROBLEM[kind](samples, right, k), n
        votes = row.get(VOTES.format(data=data, n=n))
        return (maj_at_k_by_problem(votes, n, k), n) if votes else None
    return None


def final_mean(run: Run, metric: str, window: float) -> float:
    """Mean of a curve over the last `window` (a share, at least one point) of its points; NaN without one."""
    curve = run.curves([metric]).get(metric)
    if curve is None:
        return math.nan
    last = curve.mean[-max(1, round(window * len(curve))) :]
    finite = last[np.isfinite(last)]
    return float(finite.mean()) if len(finite) else math.nan


def _is_curve(runs: Sequence[Run], metric: str) -> bool:
    if AT_K.fullmatch(metric) or "/" not in metric:
        return False
    return any(run.curves([metric]) for run in runs)


def _data_of(row: MetricsRow) -> list[str]:
    counted = [m["data"] for key in row if (m := COUNTS.fullmatch(key))]
    return counted or [split_name(key)[0] for key in row if key.startswith("eval/")]


def _distinct(scores: Sequence[Score]) -> list[Score]:
    """Runs that started from one policy measured it with one seed: equal outcomes are one measurement."""
    found: list[Score] = []
    for score in scores:
        if not any(score.values == other.values and _equal(score.outcomes, other.outcomes) for other in found):
            found.append(score)
    return found


def _equal(a: Values | None, b: Values | None) -> bool:
    return (a is None and b is None) or (a is not None and b is not None and np.array_equal(a, b))


def _known(run: Run) -> list[str]:
    evaluated = [
        split_name(key, _data_of(row))[1]
        for row in run.rows("eval")
        for key in row
        if key.startswith("eval/") and not key.endswith(("_low", "_high")) and "/right_of_" not in key
    ]
    return [*evaluated, *run.curves()]
