"""The mean of a stretch of one curve, whose neighbouring points are not independent."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from crucible.analysis.statistics.interval import Interval, as_values


def batch_means_interval(values: ArrayLike, *, batches: int = 5, level: float = 0.95) -> Interval:
    """Mean of consecutive values with an interval out of the means of `batches` equally long stretches.

    The stretches' means are nearly independent where single points are not (Flegal & Jones 2010, arXiv 0811.1729);
    t quantile with batches - 1 degrees of freedom. Fewer values than 2 * batches: no interval (NaN). It says how
    well the level of THIS run is known, nothing about other seeds.
    """
    s = as_values(values)
    n, mean = len(s), float(s.mean())
    if n < 2 * batches:
        return Interval(mean, math.nan, math.nan, n, "no interval: too few steps")
    size = n // batches
    means = s[n - size * batches :].reshape(batches, size).mean(axis=1)
    half = float(stats.t.ppf((1 + level) / 2, batches - 1)) * float(np.std(means, ddof=1)) / math.sqrt(batches)
    return Interval(mean, mean - half, mean + half, n, f"batch means over {n} steps")
