"""Performance profiles (Dolan & More 2002; Agarwal et al. 2021, arXiv 2108.13264)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from crucible.analysis.statistics.interval import Values
from crucible.analysis.statistics.stratified import Units, matrix, resampled

Of = Literal["scores", "task means"]


@dataclass(frozen=True, slots=True)
class Profile:
    """Share above each threshold (T,), with a pointwise interval."""

    thresholds: Values
    share: Values
    low: Values
    high: Values


def performance_profile(scores: ArrayLike, thresholds: ArrayLike, *, of: Of = "scores") -> Values:
    """Share (T,) of run x task scores, or of the tasks' means, that lie strictly above each threshold (T,)."""
    return _above(matrix(scores), np.asarray(thresholds, dtype=np.float64), of)


def performance_profile_band(
    scores: ArrayLike,
    thresholds: ArrayLike,
    *,
    of: Of = "scores",
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
    units: Units = "runs within tasks",
) -> Profile:
    """`performance_profile` with the percentile band of a stratified bootstrap."""
    s, taus = matrix(scores), np.asarray(thresholds, dtype=np.float64)
    draws = np.concatenate([_above(b, taus, of) for b in resampled(s, resamples=resamples, seed=seed, units=units)])
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return Profile(taus, _above(s, taus, of), low, high)


def _above(scores: Values, taus: Values, of: Of) -> Values:
    """(..., R, M) -> (..., T), one threshold at a time to spare memory."""
    s = scores if of == "scores" else scores.mean(axis=-2, keepdims=True)
    return np.stack([(s > tau).mean(axis=(-2, -1)) for tau in taus], axis=-1)
