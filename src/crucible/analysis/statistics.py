"""Numbers with intervals, from results of held-out problems.

The unit of sampling is the problem: the k samples of one problem are a cluster and never count as
independent (Miller 2024, arXiv 2411.00640). Arrays are NumPy float64; P problems, n samples each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from crucible.errors import UserError


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate, its confidence interval, the number of problems behind it and how it was made."""

    value: float
    low: float
    high: float
    n: int
    method: str

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def pass_at_k(n: int, c: int, k: int) -> float:
    """Unbiased estimate of the chance that one of k samples is right: 1 - C(n-c, k) / C(n, k).

    Chen et al. 2021, arXiv 2107.03374, in the product form, which does not overflow. n samples, c right.
    Errors: UserError if k > n (undefined), if k < 1 or if not 0 <= c <= n.
    """
    if not 1 <= k <= n:
        raise UserError(f"pass@{k} from {n} samples a problem is undefined: k must be between 1 and {n}")
    if not 0 <= c <= n:
        raise UserError(f"{c} right of {n} samples: must be between 0 and {n}")
    if n - c < k:
        return 1.0
    return 1.0 - math.prod(1.0 - k / i for i in range(n - c + 1, n + 1))


def all_at_k(n: int, c: int, k: int) -> float:
    """Unbiased estimate of the chance that all of k samples are right: C(c, k) / C(n, k)."""
    if not 1 <= k <= n:
        raise UserError(f"all@{k} from {n} samples a problem is undefined: k must be between 1 and {n}")
    return math.comb(c, k) / math.comb(n, k)


def pass_at_k_by_problem(samples: ArrayLike, correct: ArrayLike, k: int) -> NDArray[np.float64]:
    """`pass_at_k` of each problem (P,) from its counts (P,) and (P,)."""
    pairs = zip(np.asarray(samples).tolist(), np.asarray(correct).tolist(), strict=True)
    return np.array([pass_at_k(int(n), int(c), k) for n, c in pairs])


def avg_at_k_by_problem(samples: ArrayLike, correct: ArrayLike) -> NDArray[np.float64]:
    """Share of right samples of each problem (P,); its mean is avg@n, an estimate of pass@1."""
    n, c = np.asarray(samples, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    if (n < 1).any() or (c < 0).any() or (c > n).any():
        raise UserError("avg@k needs at least one sample of each problem, and 0 <= correct <= samples")
    return c / n


def avg_at_k(successes: ArrayLike) -> float:
    """Mean success over problems and samples, (P, k) of 0 and 1: avg@k, or mean@k."""
    return float(np.mean(np.asarray(successes, dtype=np.float64).mean(axis=1)))


def standard_error(values: ArrayLike, clusters: Sequence[object] | None = None, *, ddof: int = 1) -> float:
    """Standard error of a mean; with `clusters` (one label a value) that of correlated values.

    arXiv 2411.00640: SE_cl^2 = SE^2 + n^-2 * sum over clusters of sum_{i != j} (s_i - m)(s_j - m), cut off
    at 0. SE^2 is the variance (divided by n - ddof) over n. NaN for n <= ddof.
    """
    s = _values(values)
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


def mean_interval(values: ArrayLike, *, level: float = 0.95, bounds: tuple[float, float] = (0.0, 1.0)) -> Interval:
    """Mean over problems with a t-interval on the problems' own means, cut to `bounds`.

    Where every problem has the same value the t-interval would have no width, which is no knowledge:
    then at most a share w = z^2 / (n + z^2) of unseen problems (Wilson's upper limit for 0 of n) may lie
    anywhere in `bounds`. At 0 or 1 that is Wilson's interval.
    """
    s = _values(values)
    n, mean = len(s), float(s.mean())
    low, high = bounds
    if n > 1 and float(np.ptp(s)) > 0:
        half = float(stats.t.ppf(0.5 + level / 2, n - 1)) * standard_error(s)
        return Interval(mean, max(low, mean - half), min(high, mean + half), n, "t over problems")
    z2 = float(stats.norm.ppf(0.5 + level / 2)) ** 2
    share = z2 / (n + z2)
    return Interval(mean, mean - share * (mean - low), mean + share * (high - mean), n, "Wilson, no variation seen")


def avg_at_k_interval(correct: Sequence[int], n: int, *, level: float = 0.95) -> Interval:
    """avg@n with its interval over problems; `correct` (P,) right answers of n samples a problem."""
    return mean_interval(avg_at_k_by_problem(np.full(len(correct), n), correct), level=level)


def pass_at_k_interval(correct: Sequence[int], n: int, k: int, *, level: float = 0.95) -> Interval:
    """Unbiased pass@k with its interval over problems; `correct` (P,) right answers of n samples each."""
    return mean_interval(pass_at_k_by_problem(np.full(len(correct), n), correct, k), level=level)


def bootstrap_interval(
    values: ArrayLike,
    *,
    level: float = 0.95,
    resamples: int = 5000,
    seed: int = 0,
    method: Literal["percentile", "BCa"] = "BCa",
    bounds: tuple[float, float] = (0.0, 1.0),
) -> Interval:
    """Mean over problems with a bootstrap interval: problems are resampled, with their samples in them.

    BCa as in Efron 1987 (scipy.stats.bootstrap); the draws come from their own generator. Without
    variation between problems the interval is that of `mean_interval`.
    """
    s = _values(values)
    if len(s) < 2 or float(np.ptp(s)) == 0:
        return mean_interval(s, level=level, bounds=bounds)
    found = stats.bootstrap(
        (s,),
        np.mean,
        n_resamples=resamples,
        confidence_level=level,
        method=method,
        vectorized=True,
        batch=max(1, 2_000_000 // len(s)),
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(float(s.mean()), float(found.low), float(found.high), len(s), f"{method} bootstrap")


def paired_difference(before: ArrayLike, after: ArrayLike, *, level: float = 0.95) -> Interval:
    """Mean of after - before over the same problems (P,), (P,), each in [0, 1], with its t-interval.

    Pairing takes the spread between easy and hard problems out: SE = SD(d) / sqrt(P) (arXiv 2411.00640).
    Errors: UserError when the two are not of the same problems.
    """
    a, b = _values(before), _values(after)
    if a.shape != b.shape:
        raise UserError(f"a paired difference needs the same problems: {len(a)} before, {len(b)} after")
    return mean_interval(b - a, level=level, bounds=(-1.0, 1.0))


def wilson_interval(c: int, n: int, *, level: float = 0.95) -> Interval:
    """A share c / n of independent trials with Wilson's score interval."""
    if n < 1 or not 0 <= c <= n:
        raise UserError(f"a share of {c} in {n} trials: needs n >= 1 and 0 <= c <= n")
    found = stats.binomtest(c, n).proportion_ci(level, method="wilson")
    return Interval(c / n, float(found.low), float(found.high), n, "Wilson")


def _values(values: ArrayLike) -> NDArray[np.float64]:
    s = np.asarray(values, dtype=np.float64)
    if s.ndim != 1 or len(s) == 0:
        raise UserError(f"an interval needs a list of at least one value, not one of shape {s.shape}")
    if not np.isfinite(s).all():
        raise UserError("an interval needs finite values; NaN or infinite ones are among them")
    return s
