"""Entropy against performance: R = -a exp(H) + b (arXiv 2505.22617), fitted over checkpoints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.optimize import curve_fit

from crucible.errors import UserError


@dataclass(frozen=True, slots=True)
class EntropyFit:
    """The fitted a and b with 95 % half-widths (NaN for fewer than 4 points), R^2 and the number of points."""

    a: float
    b: float
    a_half: float
    b_half: float
    r_squared: float
    n: int

    @property
    def ceiling(self) -> float:
        """Performance predicted at H = 0."""
        return self.b - self.a

    @property
    def exchange(self) -> bool:
        """Is entropy spent for performance at all? Not where performance rises with entropy (a < 0)."""
        return self.a > 0

    def __call__(self, entropy: ArrayLike) -> NDArray[np.float64]:
        return performance(np.asarray(entropy, dtype=np.float64), self.a, self.b)

    def __str__(self) -> str:
        sign = "-" if self.b < 0 else "+"
        text = f"R = {-self.a:.3f} exp(H) {sign} {abs(self.b):.3f}, R² = {self.r_squared:.2f}, n = {self.n}"
        return text if self.exchange else f"{text} (no exchange: a < 0)"


def performance(entropy: NDArray[np.float64], a: float, b: float) -> NDArray[np.float64]:
    """-a exp(H) + b."""
    return -a * np.exp(entropy) + b


def fit(entropy: ArrayLike, reward: ArrayLike) -> EntropyFit:
    """Least squares of `reward` (n,) in [0, 1] on exp(`entropy`) (n,) in nats; scipy's curve_fit.

    The intervals treat checkpoints as independent, which those of one run are not: they are a lower bound.
    Errors: UserError for fewer than 3 distinct entropies.
    """
    h, r = np.asarray(entropy, dtype=np.float64), np.asarray(reward, dtype=np.float64)
    if h.shape != r.shape or h.ndim != 1:
        raise UserError(f"the fit R = -a exp(H) + b needs one reward for each entropy, got {h.shape} and {r.shape}")
    finite = np.isfinite(h) & np.isfinite(r)
    h, r = h[finite], r[finite]
    if len(np.unique(h)) < 3:
        raise UserError(f"the fit R = -a exp(H) + b needs 3 distinct entropies, got {len(np.unique(h))}")
    if len(h) == 3:  # curve_fit would warn that 3 points leave no trustworthy covariance
        (a, b), half = curve_fit(performance, h, r, p0=(0.1, 0.5))[0], np.full(2, np.nan)
    else:
        (a, b), covariance = curve_fit(performance, h, r, p0=(0.1, 0.5))
        half = stats.t.ppf(0.975, len(h) - 2) * np.sqrt(np.diag(covariance))
    spread = float(((r - r.mean()) ** 2).sum())
    left = float(((r - performance(h, a, b)) ** 2).sum())
    r_squared = 1.0 - left / spread if spread > 0 else float("nan")
    return EntropyFit(float(a), float(b), float(half[0]), float(half[1]), r_squared, len(h))
