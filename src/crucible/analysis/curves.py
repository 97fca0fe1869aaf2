"""Curves out of metrics rows: the updates of a step are one point with its range; noise, a running mean."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from crucible.analysis.rows import Row, is_number, names_in


@dataclass(frozen=True, slots=True)
class Curve:
    """A metric by rollout step (S,): mean over the updates of each step, and their range. NaN is a gap."""

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

    def finite(self) -> Curve | None:
        """Without gaps; None where nothing is left."""
        kept = np.isfinite(self.mean) & np.isfinite(self.steps)
        return Curve(self.steps[kept], self.mean[kept], self.low[kept], self.high[kept]) if kept.any() else None


def single(steps: ArrayLike, values: ArrayLike) -> Curve:
    """A curve of single values."""
    y = np.asarray(values, dtype=np.float64)
    return Curve(np.asarray(steps, dtype=np.float64), y, y, y)


def by_step(rows: Iterable[Row], names: Collection[str] | None = None) -> dict[str, Curve]:
    """The curve of each named metric (None: of all) that the rows have. A step with a NaN is NaN."""
    rows = [row for row in rows if is_number(row.get("step"))]
    found = {}
    for name in names_in(rows) if names is None else names:
        chosen = [row for row in rows if is_number(row.get(name))]
        if chosen:
            found[name] = _averaged([row["step"] for row in chosen], [row[name] for row in chosen])
    return found


def window_of(points: int) -> int:
    """Width of the running mean: none up to 40 points, then an odd number near a twentieth of them."""
    return 1 if points <= 40 else max(3, points // 20 | 1)


def running_mean(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Centred mean over `window` points (odd), over as many as there are at the ends."""
    if window <= 1:
        return values
    ones = np.ones(window)
    return np.convolve(values, ones, "same") / np.convolve(np.ones_like(values), ones, "same")


def _averaged(steps: list[float], values: list[float]) -> Curve:
    x, y = np.array(steps, dtype=np.float64), np.array(values, dtype=np.float64)
    if (x[1:] < x[:-1]).any():
        order = np.argsort(x, kind="stable")
        x, y = x[order], y[order]
    first = np.flatnonzero(np.r_[True, x[1:] != x[:-1]])
    counts = np.diff(first, append=len(x))
    with np.errstate(invalid="ignore"):  # inf - inf within a step is NaN, a gap
        mean = np.add.reduceat(y, first) / counts
    return Curve(x[first], mean, np.minimum.reduceat(y, first), np.maximum.reduceat(y, first))
