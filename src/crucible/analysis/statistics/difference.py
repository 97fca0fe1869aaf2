"""Is the difference between two methods more than chance? Differences are b - a; p-values are two-sided."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from crucible.analysis.statistics.interval import Interval, Values, as_values
from crucible.errors import UserError


@dataclass(frozen=True, slots=True)
class Difference:
    """A mean difference with its interval, its p-value and the name of the test. NaN where nothing can be said."""

    interval: Interval
    p: float
    method: str


def paired_test(
    a: ArrayLike,
    b: ArrayLike,
    *,
    unit: str,
    method: Literal["t", "permutation"] = "t",
    level: float = 0.95,
    resamples: int = 20_000,
    seed: int = 0,
) -> Difference:
    """Mean of b - a over pairs (n,), (n,): the same problems, or the same seeds; `unit` names them in the result.

    "t": scipy.stats.ttest_rel. "permutation": signs of the differences are exchanged, all 2^n of them or
    `resamples` drawn ones (scipy.stats.permutation_test); where all differences are equal, "t" does so too, since
    a t-test would divide by zero. The interval is the t-interval. p is NaN for one pair.
    Errors: UserError for lists of different length.
    """
    x, y = as_values(a), as_values(b)
    if x.shape != y.shape:
        raise UserError(f"a paired test needs the same {unit} on both sides: {len(x)} and {len(y)}")
    d = y - x
    n = len(d)
    flat = float(np.ptp(d)) <= 1e-9 * float(np.abs([x, y]).max())
    half = math.nan if n < 2 else float(stats.t.ppf((1 + level) / 2, n - 1) * stats.sem(d))
    interval = Interval(float(d.mean()), float(d.mean()) - half, float(d.mean()) + half, n, f"paired t over {unit}")
    if n < 2:
        return Difference(interval, math.nan, f"none: one of {unit}")
    if method == "t" and not flat:
        return Difference(interval, float(stats.ttest_rel(y, x).pvalue), f"paired t-test over {n} {unit}")
    return Difference(interval, _sign_flips(d, resamples, seed), f"paired permutation test over {n} {unit}")


def unpaired_test(a: ArrayLike, b: ArrayLike, *, unit: str, level: float = 0.95) -> Difference:
    """Mean of b minus mean of a, (n_a,), (n_b,), with unequal variances (Welch; scipy.stats.ttest_ind).

    p and the interval are NaN where a side has one value, or neither side varies.
    """
    x, y = as_values(a), as_values(b)
    value, n = float(y.mean() - x.mean()), min(len(x), len(y))
    if n < 2 or (float(np.ptp(x)) == 0 and float(np.ptp(y)) == 0):
        nothing = Interval(value, math.nan, math.nan, n, "none")
        return Difference(nothing, math.nan, f"none: {n} of {unit} on one side" if n < 2 else "none: no variation")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # one side without variation is no loss of precision
        found = stats.ttest_ind(y, x, equal_var=False)
    limits = found.confidence_interval(level)
    interval = Interval(value, float(limits.low), float(limits.high), n, f"Welch over {unit}")
    return Difference(interval, float(found.pvalue), f"Welch t-test over {len(x)} and {len(y)} {unit}")


def mcnemar(a: ArrayLike, b: ArrayLike) -> Difference:
    """Exact McNemar test of paired right/wrong answers (P,), (P,) of 0 and 1: a binomial test on the problems that
    one side alone has right (scipy.stats.binomtest). The interval is the paired t-interval. p is 1 without any.
    """
    x, y = as_values(a), as_values(b)
    if x.shape != y.shape or not np.isin([*x, *y], (0.0, 1.0)).all():
        raise UserError("McNemar's test needs one right or wrong answer (1 or 0) of each side to the same problems")
    gained, lost = int((y > x).sum()), int((x > y).sum())
    p = float(stats.binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0
    return Difference(paired_test(x, y, unit="problems").interval, p, f"exact McNemar, {gained} gained and {lost} lost")


def _sign_flips(d: Values, resamples: int, seed: int) -> float:
    if not d.any():
        return 1.0
    found = stats.permutation_test(
        (d,),
        lambda x, axis: x.mean(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=resamples,
        rng=np.random.default_rng(seed),
    )
    return float(found.pvalue)
