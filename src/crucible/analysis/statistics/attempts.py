"""Reasoning potential: how many independent attempts until the first right answer (CoTP, arXiv 2509.21124).

    Phi(M, q) = P(a sampled answer is right)        K ~ Geometric(Phi),   E[K] = 1 / Phi
    Phi(M, D) = mean over problems of Phi(M, q)

The estimate of Phi(M, D) from n samples a problem is avg@n, with `avg_at_k_interval`; it is the same number under
another name. Phi is averaged and K never is: the mean of K is infinite as soon as one problem is never solved, and the
mean of Phi is not one over the mean of K. What stays finite is the number of attempts when one gives up after a budget:

    E[min(K, b)] = sum_{k=0}^{b-1} P(K > k) = sum_{k=0}^{b-1} (1 - pass@k),   pass@0 = 0
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from crucible.analysis.statistics.interval import Interval, Values
from crucible.analysis.statistics.means import mean_interval
from crucible.analysis.statistics.pass_at_k import avg_at_k_by_problem, pass_at_k
from crucible.errors import UserError


def geometric_pass_at_k(potential: ArrayLike, k: int) -> Values:
    """1 - (1 - Phi)^k: pass@k of problems (P,) whose Phi is known."""
    if k < 1:
        raise UserError(f"pass@{k}: k must be at least 1")
    return 1.0 - (1.0 - np.asarray(potential, dtype=np.float64)) ** k


def expected_attempts(samples: ArrayLike, correct: ArrayLike) -> Values:
    """1 / (c / n) of each problem (P,): infinite where none of the samples was right."""
    with np.errstate(divide="ignore"):
        return 1.0 / avg_at_k_by_problem(samples, correct)


def attempts_up_to(n: int, c: int, budget: int) -> float:
    """Unbiased estimate of E[min(K, budget)] from c right ones of n samples: attempts until one gives up.

    Between 1 and `budget`, which it is where nothing was right. Errors: UserError unless 1 <= budget <= n + 1.
    """
    if not 1 <= budget <= n + 1:
        raise UserError(f"attempts up to {budget} from {n} samples a problem: the budget must be between 1 and {n + 1}")
    return 1.0 + sum(1.0 - pass_at_k(n, c, k) for k in range(1, budget))


def attempts_interval(correct: Sequence[int], n: int, *, level: float = 0.95) -> Interval:
    """Mean over problems of E[min(K, n)], with its interval over problems."""
    found = [attempts_up_to(n, int(c), n) for c in correct]
    return mean_interval(found, level=level, bounds=(1.0, float(max(n, 1))))


def median_attempts(samples: ArrayLike, correct: ArrayLike) -> float:
    """Median over problems of the expected attempts; infinite where half of them or more were never solved.

    Of an even number of problems the mean of the middle two, which is infinite where one of them is.
    """
    found = np.sort(expected_attempts(samples, correct))
    middle = found[(len(found) - 1) // 2], found[len(found) // 2]
    return math.inf if math.isinf(middle[1]) else float(sum(middle) / 2)
