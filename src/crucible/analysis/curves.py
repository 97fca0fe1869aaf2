"""Curves out of metrics rows: the updates of a step are one point with its range; noise, a running mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from crucible.analysis.load import RunRecord


@dataclass(frozen=True, slots=True)
class Curve:
    """A metric by rollout step (S,): mean over the updates of each step, and their range."""

    steps: NDArray[np.float64]
    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def ranges(self) -> bool:
        """Do the updates of a step differ at all?"""
        return bool(np.nanmax(self.high - self.low, initial=0.0) > 0)


def by_step(run: RunRecord, metric: str) -> Curve | None:
    """The curve of a metric of the update rows, or None where the run has no finite value of it."""
    steps, values = (np.array(column) for column in run.series(metric))
    finite = np.isfinite(values) & np.isfinite(steps) if len(values) else np.array([], dtype=bool)
    if not finite.any():
        return None
    steps, values = steps[finite], values[finite]
    unique = np.unique(steps)
    groups = [values[steps == s] for s in unique]
    return Curve(
        unique,
        np.array([g.mean() for g in groups]),
        np.array([g.min() for g in groups]),
        np.array([g.max() for g in groups]),
    )


def window_of(points: int) -> int:
    """Width of the running mean: none up to 40 points, then an odd number near a twentieth of them."""
    return 1 if points <= 40 else max(3, points // 20 | 1)


def running_mean(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Centred mean over `window` points (odd), over as many as there are at the ends."""
    if window <= 1:
        return values
    ones = np.ones(window)
    return np.convolve(values, ones, "same") / np.convolve(np.ones_like(values), ones, "same")
