"""One number out of a matrix of scores, runs x tasks (Agarwal et al. 2021, arXiv 2108.13264).

Each takes (..., R, M) and returns (...): R runs (seeds), M tasks (data sets).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from crucible.analysis.statistics.interval import Values


def mean(scores: ArrayLike) -> Values:
    """Mean over tasks of the tasks' means."""
    return np.asarray(scores, dtype=np.float64).mean(axis=(-2, -1))


def median(scores: ArrayLike) -> Values:
    """Median over tasks of the tasks' means."""
    return np.median(np.asarray(scores, dtype=np.float64).mean(axis=-2), axis=-1)


def iqm(scores: ArrayLike) -> Values:
    """Interquartile mean: mean of all run x task scores without the lowest and the highest floor(n/4) of them."""
    s = np.asarray(scores, dtype=np.float64)
    flat = s.reshape(*s.shape[:-2], -1)
    return np.asarray(stats.trim_mean(flat, 0.25, axis=-1))


def optimality_gap(scores: ArrayLike, *, target: float = 1.0) -> Values:
    """How far scores fall short of `target` on average: target - mean(min(score, target)); lower is better."""
    return target - np.minimum(np.asarray(scores, dtype=np.float64), target).mean(axis=(-2, -1))
