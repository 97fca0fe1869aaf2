"""One curve out of several runs: the mean over seeds with its 95 % t-interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from crucible.analysis.curves import Curve, running_mean

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Band:
    """Mean over `n` runs by step (S,), with the ends of its interval; NaN ends for a single run."""

    steps: Array
    mean: Array
    low: Array
    high: Array
    n: int

    def __len__(self) -> int:
        return len(self.steps)


def band(curves: Sequence[Curve], *, window: int = 1, level: float = 0.95) -> Band | None:
    """Mean and t-interval over runs at the steps that ALL of them have; None where there is no such step.

    A run that stopped early therefore shortens the curve and never bends it. Each run is smoothed by itself
    (running mean of `window` steps) before the mean is taken, so the interval is that of the smoothed curves.
    """
    if not curves:
        return None
    steps = curves[0].steps
    for curve in curves[1:]:
        steps = np.intersect1d(steps, curve.steps)
    if not len(steps):
        return None
    values = np.array([running_mean(c.mean, window)[np.searchsorted(c.steps, steps)] for c in curves])
    mean, half = mean_and_half(values, level=level)
    return Band(steps, mean, mean - half, mean + half, len(curves))


def mean_and_half(values: ArrayLike, *, level: float = 0.95) -> tuple[Array, Array]:
    """Mean over the first axis (runs) and half the width of its t-interval; NaN for a single run."""
    v = np.asarray(values, dtype=np.float64)
    n, mean = len(v), v.mean(axis=0)
    if n < 2:
        return mean, np.full_like(mean, np.nan)
    return mean, stats.t.ppf(0.5 + level / 2, n - 1) * v.std(axis=0, ddof=1) / np.sqrt(n)
