"""Means with intervals. The unit is the problem: the k samples of one problem are a cluster (arXiv 2411.00640)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from crucible.analysis.statistics.interval import Interval, as_values
from crucible.analysis.statistics.pass_at_k import avg_at_k_by_problem, pass_at_k_by_problem
from crucible.analysis.statistics.standard_errors import standard_error
from crucible.errors import UserError


def mean_interval(values: ArrayLike, *, level: float = 0.95, bounds: tuple[float, float] = (0.0, 1.0)) -> Interval:
    """Mean over problems with a t-interval on the problems' own means, cut to `bounds`.

    Where every problem has the same value the t-interval would have no width, which is no knowledge:
    then at most a share w = z^2 / (n + z^2) of unseen problems (Wilson's upper limit for 0 of n) may lie
    anywhere in `bounds`. At 0 or 1 that is Wilson's interval.
    """
    s = as_values(values)
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
    s = as_values(values)
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
    a, b = as_values(before), as_values(after)
    if a.shape != b.shape:
        raise UserError(f"a paired difference needs the same problems: {len(a)} before, {len(b)} after")
    return mean_interval(b - a, level=level, bounds=(-1.0, 1.0))


def wilson_interval(c: int, n: int, *, level: float = 0.95) -> Interval:
    """A share c / n of independent trials with Wilson's score interval."""
    if n < 1 or not 0 <= c <= n:
        raise UserError(f"a share of {c} in {n} trials: needs n >= 1 and 0 <= c <= n")
    found = stats.binomtest(c, n).proportion_ci(level, method="wilson")
    return Interval(c / n, float(found.low), float(found.high), n, "Wilson")
