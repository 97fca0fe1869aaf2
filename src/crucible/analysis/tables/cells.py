"""The cells of a table: value, interval, number of seeds, difference to the baseline and its significance."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from crucible.analysis.statistics import (
    Difference,
    Interval,
    compare_seeds,
    holm,
    iqm,
    mcnemar,
    mean,
    mean_interval,
    median,
    optimality_gap,
    paired_test,
    standard_error,
    stratified_bootstrap,
)
from crucible.analysis.statistics.interval import Values
from crucible.analysis.tables.definition import Column, TableDefinition
from crucible.analysis.tables.measure import AT_K, Score

AGGREGATES = {"mean": mean, "median": median, "iqm": iqm, "optimality_gap": optimality_gap}
LEVEL = 0.05  # of significance, after correction
RESAMPLES = 20_000


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell. Without scores there is no value: `missing` says why.

    against: difference to the baseline; p_corrected: by Holm, see `against_baseline`. by_problem: the same
    over problems, for these runs as they are. best, tied: the best of the column, or not distinguishable from it.
    """

    scores: tuple[Score, ...]
    estimate: Interval | None = None
    error_over_problems: float = math.nan
    against: Difference | None = None
    p_corrected: float = math.nan
    by_problem: Difference | None = None
    best: bool = False
    tied: bool = False
    missing: str = ""

    @property
    def significant(self) -> bool:
        return self.p_corrected < LEVEL


def cell(scores: Sequence[Score], column: Column, table: TableDefinition, *, seed: int) -> Cell:
    """Value and interval over seeds; with one seed, over problems."""
    if not scores:
        return Cell((), missing="no runs")
    matrix = np.array([score.values for score in scores])
    statistic = AGGREGATES[column.aggregate]
    bounds = _bounds(column)
    if len(matrix) > 1 and float(np.ptp(matrix, axis=0).max()) > 0:
        estimate = stratified_bootstrap(
            matrix, statistic, level=table.level, resamples=RESAMPLES, seed=seed,
            units="whole runs", method=table.interval, bounds=bounds,
        )  # fmt: skip
    else:
        estimate = _over_problems(scores, float(statistic(matrix)), column, table.level, bounds)
    problems = _mean_by_problem(scores)
    error = math.nan if problems is None or len(scores[0].values) > 1 else standard_error(problems)
    return Cell(tuple(scores), estimate, error)


def compare(a: Cell, b: Cell, column: Column, level: float) -> tuple[Difference | None, Difference | None]:
    """b - a: (over seeds, or over problems where a side has one seed; over problems). None where neither can be.

    A run's score is the column's aggregate over its own data sets.
    """
    if not a.scores or not b.scores:
        return None, None
    problems = _problem_test(a.scores, b.scores, level)
    if min(len(a.scores), len(b.scores)) < 2:
        return problems, problems
    a_scores, b_scores = ([(s.run.seed, _total(s, column)) for s in side.scores] for side in (a, b))
    return compare_seeds(a_scores, b_scores, level=level), problems


def against_baseline(
    cells: list[list[Cell]], columns: Sequence[Column], baseline: int | None, level: float
) -> tuple[list[list[Cell]], tuple[int, ...]]:
    """Rows x columns with their differences to the baseline row, and the number of tests in each of Holm's families.

    Outcomes are one family; columns that are neither better high nor low (entropy, clip fractions) describe what a
    method does and are a family of their own, so that looking at them costs the outcomes no power.
    """
    if baseline is None:
        return cells, ()
    compared = [
        [
            cell if i == baseline else _with(cell, *compare(cells[baseline][j], cell, columns[j], level))
            for j, cell in enumerate(row)
        ]
        for i, row in enumerate(cells)
    ]
    p = np.array([[c.against.p if c.against else math.nan for c in row] for row in compared])
    corrected, sizes = np.full_like(p, np.nan), []
    described = np.array([column.better == "none" for column in columns])
    for family in (~described, described):
        corrected[:, family] = holm(p[:, family].ravel()).reshape(p[:, family].shape)
        sizes.append(int(np.isfinite(p[:, family]).sum()))
    marked = [
        [dataclasses.replace(c, p_corrected=float(corrected[i, j])) for j, c in enumerate(row)]
        for i, row in enumerate(compared)
    ]
    return marked, tuple(size for size in sizes if size)


def with_best(cells: list[list[Cell]], columns: Sequence[Column], level: float) -> list[list[Cell]]:
    """Marks the best of each column, and what its tests (Holm within the column) cannot tell from it.

    A difference that could not be tested (one seed, no problems in common) is not called distinguishable.
    """
    marked = [list(row) for row in cells]
    for j, column in enumerate(columns):
        estimates = [row[j].estimate for row in cells]
        values = {i: estimate.value for i, estimate in enumerate(estimates) if estimate is not None}
        if column.better == "none" or len(values) < 2:
            continue
        best = (max if column.better == "higher" else min)(values, key=values.__getitem__)
        others = [i for i in values if i != best]
        tests = [compare(cells[best][j], cells[i][j], column, level)[0] for i in others]
        corrected = holm([test.p if test else math.nan for test in tests])
        marked[best][j] = dataclasses.replace(marked[best][j], best=True)
        for i, p in zip(others, corrected, strict=True):
            marked[i][j] = dataclasses.replace(marked[i][j], tied=not p < LEVEL)
    return marked


def _total(score: Score, column: Column) -> float:
    return float(AGGREGATES[column.aggregate]([score.values]))


def _with(cell: Cell, against: Difference | None, by_problem: Difference | None) -> Cell:
    return dataclasses.replace(cell, against=against, by_problem=by_problem)


def _bounds(column: Column) -> tuple[float, float]:
    if not AT_K.fullmatch(column.metric):
        return (-math.inf, math.inf)
    return (-1.0, 1.0) if column.of == "change" else (0.0, 1.0)


def _over_problems(
    scores: Sequence[Score], value: float, column: Column, level: float, bounds: tuple[float, float]
) -> Interval:
    """Of one run, or of runs that all scored the same: what other problems could have given."""
    n = len(scores)
    parts = scores[0].by_problem
    if parts is None or column.aggregate != "mean":
        return Interval(value, math.nan, math.nan, n, "no interval: one seed")
    if len(parts) == 1:
        found = mean_interval(parts[0], level=level, bounds=bounds)
        return Interval(value, found.low, found.high, n, f"{found.method}, one seed")
    error = math.sqrt(sum(standard_error(part) ** 2 for part in parts)) / len(parts)
    half = float(stats.norm.ppf((1 + level) / 2)) * error
    low, high = max(bounds[0], value - half), min(bounds[1], value + half)
    return Interval(value, low, high, n, "normal over problems within data sets, one seed")


def _mean_by_problem(scores: Sequence[Score]) -> Values | None:
    """Mean over runs of each problem's score; None where the runs do not have the same problems."""
    outcomes = [score.outcomes for score in scores]
    known = [o for o in outcomes if o is not None]
    if len(known) < len(outcomes) or len({len(o) for o in known}) != 1:
        return None
    return np.asarray(np.mean(known, axis=0))


def _problem_test(a: Sequence[Score], b: Sequence[Score], level: float) -> Difference | None:
    x, y = _mean_by_problem(a), _mean_by_problem(b)
    if x is None or y is None or len(x) != len(y) or len(a[0].values) != 1:
        return None
    single = len(a) == len(b) == 1 and a[0].samples == b[0].samples == 1
    if single and np.isin(np.concatenate([x, y]), (0.0, 1.0)).all():
        return mcnemar(x, y)
    return paired_test(x, y, unit="problems", level=level)
