"""Correction for looking at many comparisons at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from crucible.analysis.statistics.interval import Values


def holm(p: ArrayLike) -> Values:
    """p-values (m,) corrected for m comparisons so that the chance of any false finding stays below the level.

    Holm 1979: the i-th smallest is multiplied by m - i + 1, never falls below the one before it, and ends at 1.
    NaN (no test was possible) stays NaN and does not count as a comparison.
    """
    values = np.asarray(p, dtype=np.float64)
    corrected = np.full(values.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(values))
    order = tested[np.argsort(values[tested], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(values[order] * factors))
    return corrected
