"""An estimate with its interval, and what counts as a list of values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from crucible.errors import UserError

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate, its confidence interval, the number of units (problems, seeds) behind it and how it was made."""

    value: float
    low: float
    high: float
    n: int
    method: str

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def as_values(values: ArrayLike) -> Values:
    """A list of finite numbers (n,), n >= 1. Errors: UserError for anything else."""
    s = np.asarray(values, dtype=np.float64)
    if s.ndim != 1 or len(s) == 0:
        raise UserError(f"an interval needs a list of at least one value, not one of shape {s.shape}")
    if not np.isfinite(s).all():
        raise UserError("an interval needs finite values; NaN or infinite ones are among them")
    return s
