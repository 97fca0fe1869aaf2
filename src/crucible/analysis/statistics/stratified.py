"""Stratified bootstrap over runs, as in rliable (Agarwal et al. 2021, arXiv 2108.13264), from its own generator."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from crucible.analysis.statistics.interval import Interval, Values
from crucible.errors import UserError

Statistic = Callable[[Values], Values]  # (..., R, M) -> (...)
Units = Literal["runs within tasks", "whole runs"]
BATCH = 4_000_000  # resampled scores held at once


def matrix(scores: ArrayLike) -> Values:
    """Scores as (R, M); a list (R,) is one task. Errors: UserError for anything else, or values that are not finite."""
    s = np.asarray(scores, dtype=np.float64)
    s = s[:, None] if s.ndim == 1 else s
    if s.ndim != 2 or 0 in s.shape or not np.isfinite(s).all():
        raise UserError(f"scores must be finite numbers, runs x tasks; these have the shape {s.shape}")
    return s


def resampled(
    scores: ArrayLike, *, resamples: int, seed: int | np.random.Generator, units: Units = "runs within tasks"
) -> Iterator[Values]:
    """Batches (b, R, M) of resampled score matrices, `resamples` in all.

    "runs within tasks": in every task its runs are drawn anew, independently, as in rliable, where each task was a
    training of its own. "whole runs": a run is drawn with its scores on all tasks; right where one training was
    measured on several data sets, whose scores then go up and down together.
    """
    s = matrix(scores)
    runs, tasks = s.shape
    rng = np.random.default_rng(seed)
    step = max(1, BATCH // s.size)
    for start in range(0, resamples, step):
        b = min(step, resamples - start)
        drawn: NDArray[np.int64] = rng.integers(runs, size=(b, runs, tasks if units == "runs within tasks" else 1))
        yield s[np.broadcast_to(drawn, (b, runs, tasks)), np.arange(tasks)]


def bootstrap_distribution(
    scores: ArrayLike,
    statistic: Statistic,
    *,
    resamples: int = 50_000,
    seed: int = 0,
    units: Units = "runs within tasks",
) -> Values:
    """The statistic (resamples,) of each resampled matrix."""
    drawn = resampled(scores, resamples=resamples, seed=seed, units=units)
    return np.concatenate([np.atleast_1d(statistic(batch)) for batch in drawn])


def stratified_bootstrap(
    scores: ArrayLike,
    statistic: Statistic,
    *,
    level: float = 0.95,
    resamples: int = 50_000,
    seed: int = 0,
    units: Units = "runs within tasks",
    method: Literal["percentile", "t"] = "percentile",
    bounds: tuple[float, float] = (-math.inf, math.inf),
) -> Interval:
    """A statistic of scores (R, M), runs x tasks, with its bootstrap interval; n is the number of runs.

    "percentile" is rliable's. It cannot reach beyond the scores that were seen, so over 3 to 5 runs it holds the
    truth in some 70 to 85 % of cases, not in 95 %. "t" takes the standard error of the bootstrap, times
    sqrt(R / (R-1)) for what resampling R runs leaves out, and the t quantile with R - 1 degrees of freedom
    (Hesterberg 2015, arXiv 1411.5279); for a mean of one task that is the t-interval over runs. Cut to `bounds`.
    Errors: UserError for fewer than two runs, from which nothing can be resampled.
    """
    s = matrix(scores)
    runs = len(s)
    if runs < 2:
        raise UserError("a bootstrap over runs needs at least two of them: with one run nothing varies")
    value = float(statistic(s))
    draws = bootstrap_distribution(s, statistic, resamples=resamples, seed=seed, units=units)
    if method == "percentile":
        low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    else:
        half = stats.t.ppf((1 + level) / 2, runs - 1) * draws.std() * math.sqrt(runs / (runs - 1))
        low, high = value - half, value + half
    over = units if s.shape[1] > 1 else "runs"
    label = f"{'t with the standard error of a' if method == 't' else 'percentile'} bootstrap over {over}, seed {seed}"
    return Interval(value, max(bounds[0], float(low)), min(bounds[1], float(high)), runs, label)
