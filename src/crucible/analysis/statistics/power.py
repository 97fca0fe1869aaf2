"""How many problems a comparison needs, and what it can see (Miller 2024, arXiv 2411.00640)."""

from __future__ import annotations

import math

from scipy import stats

from crucible.errors import UserError


def problems_needed(
    difference: float,
    *,
    between: float,
    within_a: float = 0.0,
    within_b: float = 0.0,
    samples_a: int = 1,
    samples_b: int = 1,
    alpha: float = 0.05,
    power: float = 0.8,
) -> int:
    """n = (z_{alpha/2} + z_beta)^2 (w^2 + s_A^2/K_A + s_B^2/K_B) / d^2, rounded up, for a paired comparison.

    between: w^2, variance over problems of the difference of their true means; within: s^2, variance of one sample.
    """
    if difference == 0:
        raise UserError("difference=0: no number of problems tells equal methods apart")
    spread = between + within_a / samples_a + within_b / samples_b
    return math.ceil(_quantiles(alpha, power) ** 2 * spread / difference**2)


def detectable_difference(
    problems: int,
    *,
    between: float,
    within_a: float = 0.0,
    within_b: float = 0.0,
    samples_a: int = 1,
    samples_b: int = 1,
    alpha: float = 0.05,
    power: float = 0.8,
) -> float:
    """The smallest difference that n problems show with this power; `problems_needed` solved for it."""
    if problems < 1:
        raise UserError(f"problems={problems}: at least one")
    spread = between + within_a / samples_a + within_b / samples_b
    return _quantiles(alpha, power) * math.sqrt(spread / problems)


def detectable_difference_of_means(
    sd_of_differences: float, n: int, *, alpha: float = 0.05, power: float = 0.8
) -> float:
    """The smallest mean difference that n pairs (seeds) with this standard deviation show in a paired t-test.

    The noncentral t distribution, solved for its shift; at n = 3 it is several times what the normal formula says.
    """
    if n < 2:
        raise UserError(f"n={n}: a paired t-test needs at least 2 pairs")
    critical = stats.t.ppf(1 - alpha / 2, n - 1)
    low, high = 0.0, 1e4
    for _ in range(200):
        middle = (low + high) / 2
        reached = stats.nct.sf(critical, n - 1, middle) + stats.nct.cdf(-critical, n - 1, middle)
        low, high = (middle, high) if reached < power else (low, middle)
    return high * sd_of_differences / math.sqrt(n)


def _quantiles(alpha: float, power: float) -> float:
    return float(stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(power))
