"""Probability of improvement (Agarwal et al. 2021, arXiv 2108.13264)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from crucible.analysis.statistics.interval import Interval, Values
from crucible.analysis.statistics.stratified import Units, matrix, resampled
from crucible.errors import UserError


def probability_of_improvement(x: ArrayLike, y: ArrayLike) -> float:
    """Chance that a run of X beats a run of Y, mean over tasks: U_XY / (n_x n_y) of Mann and Whitney, a tie is 1/2.

    x (R_x, M), y (R_y, M). Errors: UserError for different numbers of tasks.
    """
    a, b = _pair(x, y)
    return float(_share(a, b))


def probability_of_improvement_interval(
    x: ArrayLike,
    y: ArrayLike,
    *,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
    units: Units = "runs within tasks",
) -> Interval:
    """`probability_of_improvement` with the percentile interval of a stratified bootstrap of both sides."""
    a, b = _pair(x, y)
    if min(len(a), len(b)) < 2:
        raise UserError("a bootstrap over runs needs at least two of each side: with one run nothing varies")
    rng = np.random.default_rng(seed)
    drawn = [np.concatenate(list(resampled(s, resamples=resamples, seed=rng, units=units))) for s in (a, b)]
    low, high = np.quantile(_share(*drawn), [(1 - level) / 2, (1 + level) / 2])
    label = f"percentile bootstrap over {units}, seed {seed}"
    return Interval(float(_share(a, b)), float(low), float(high), min(len(a), len(b)), label)


def _share(x: Values, y: Values) -> Values:
    """(..., R_x, M), (..., R_y, M) -> (...)."""
    left, right = x[..., :, None, :], y[..., None, :, :]
    return ((left > right) + 0.5 * (left == right)).mean(axis=(-3, -2, -1))


def _pair(x: ArrayLike, y: ArrayLike) -> tuple[Values, Values]:
    a, b = matrix(x), matrix(y)
    if a.shape[1] != b.shape[1]:
        raise UserError(f"probability of improvement needs the same tasks: {a.shape[1]} and {b.shape[1]}")
    return a, b
