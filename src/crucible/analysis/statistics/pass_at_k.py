"""pass@k, all@k and avg@k out of counts: c right of n samples of a problem."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from crucible.analysis.statistics.interval import Values
from crucible.errors import UserError


def pass_at_k(n: int, c: int, k: int) -> float:
    """Unbiased estimate of the chance that one of k samples is right: 1 - C(n-c, k) / C(n, k).

    Chen et al. 2021, arXiv 2107.03374, in the product form, which does not overflow. n samples, c right.
    Errors: UserError if k > n (undefined), if k < 1 or if not 0 <= c <= n.
    """
    _check("pass", n, c, k)
    if n - c < k:
        return 1.0
    return 1.0 - math.prod(1.0 - k / i for i in range(n - c + 1, n + 1))


def all_at_k(n: int, c: int, k: int) -> float:
    """Unbiased estimate of the chance that all of k samples are right: C(c, k) / C(n, k). Errors as `pass_at_k`."""
    _check("all", n, c, k)
    return math.comb(c, k) / math.comb(n, k)


def pass_at_k_by_problem(samples: ArrayLike, correct: ArrayLike, k: int) -> Values:
    """`pass_at_k` of each problem (P,) from its counts (P,) and (P,)."""
    pairs = zip(np.asarray(samples).tolist(), np.asarray(correct).tolist(), strict=True)
    return np.array([pass_at_k(int(n), int(c), k) for n, c in pairs])


def all_at_k_by_problem(samples: ArrayLike, correct: ArrayLike, k: int) -> Values:
    """`all_at_k` of each problem (P,) from its counts (P,) and (P,)."""
    pairs = zip(np.asarray(samples).tolist(), np.asarray(correct).tolist(), strict=True)
    return np.array([all_at_k(int(n), int(c), k) for n, c in pairs])


def avg_at_k_by_problem(samples: ArrayLike, correct: ArrayLike) -> Values:
    """Share of right samples of each problem (P,); its mean is avg@n, an estimate of pass@1."""
    n, c = np.asarray(samples, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    if (n < 1).any() or (c < 0).any() or (c > n).any():
        raise UserError("avg@k needs at least one sample of each problem, and 0 <= correct <= samples")
    return c / n


def avg_at_k(successes: ArrayLike) -> float:
    """Mean success over problems and samples, (P, k) of 0 and 1: avg@k, or mean@k."""
    return float(np.mean(np.asarray(successes, dtype=np.float64).mean(axis=1)))


def _check(name: str, n: int, c: int, k: int) -> None:
    if not 1 <= k <= n:
        raise UserError(f"{name}@{k} from {n} samples a problem is undefined: k must be between 1 and {n}")
    if not 0 <= c <= n:
        raise UserError(f"{c} right of {n} samples: must be between 0 and {n}")
