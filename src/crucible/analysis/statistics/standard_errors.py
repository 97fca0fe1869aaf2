"""Standard errors of means whose values are not independent (Miller 2024, arXiv 2411.00640)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from crucible.analysis.statistics.interval import as_values
from crucible.errors import UserError


def standard_error(values: ArrayLike, clusters: Sequence[object] | None = None, *, ddof: int = 1) -> float:
    """Standard error of a mean; with `clusters` (one label a value) that of correlated values.

    arXiv 2411.00640: SE_cl^2 = SE^2 + n^-2 * sum over clusters of sum_{i != j} (s_i - m)(s_j - m), cut off
    at 0. SE^2 is the variance (divided by n - ddof) over n. NaN for n <= ddof.
    """
    s = as_values(values)
    n = len(s)
    if n <= ddof:
        return math.nan
    d = s - s.mean()
    squared = float(d @ d) / (n - ddof) / n
    if clusters is not None:
        if len(clusters) != n:
            raise UserError(f"{len(clusters)} cluster labels for {n} values: one each is needed")
        _, index = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
        squared += float((np.bincount(index, weights=d) ** 2).sum() - d @ d) / n**2
    return math.sqrt(max(squared, 0.0))


@dataclass(frozen=True, slots=True)
class VarianceParts:
    """`between` problems, Var_q[x]; `within` a problem, E[sigma^2] of one sample; `error` of the mean over both."""

    between: float
    within: float
    error: float


def variance_parts(right: ArrayLike, samples: int) -> VarianceParts:
    """Where the variance of avg@K comes from: (Var_q[x] + E[sigma^2] / K) / P for P problems with K samples each.

    `right` (P,) counts right answers of K = `samples`. Unbiased for both parts (`between` is cut off at 0); more
    samples lower the second part only. Errors: UserError for fewer than two problems or samples.
    """
    c = as_values(right)
    if len(c) < 2 or samples < 2:
        raise UserError(f"variance within and between needs 2 problems with 2 samples, not {len(c)} with {samples}")
    x = c / samples
    within = float((x * (1 - x)).mean()) * samples / (samples - 1)
    spread = float(x.var(ddof=1))
    return VarianceParts(max(0.0, spread - within / samples), within, math.sqrt(spread / len(c)))
