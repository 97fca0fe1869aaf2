"""Evaluations of a run, problem by problem, out of its metrics rows.

An eval row holds `eval/<data>/right_of_<n>`: of each held-out problem, in the task's order, how many of its
n samples were right. avg@n, pass@k, their intervals and the paired comparison of two rows follow from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crucible.analysis.statistics import (
    Interval,
    avg_at_k_by_problem,
    avg_at_k_interval,
    paired_difference,
    pass_at_k_by_problem,
    pass_at_k_interval,
)
from crucible.errors import UserError

COUNTS = re.compile(r"eval/(?P<data>.+)/right_of_(?P<n>\d+)")
VOTES = "eval/{data}/votes_of_{n}"  # of each problem [samples, right ones] of each distinct answer


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One evaluation on one data set: `right` (P,) of `n` samples each."""

    step: int
    phase: str
    data: str
    n: int
    right: tuple[int, ...]

    def avg(self) -> Interval:
        return avg_at_k_interval(self.right, self.n)

    def pass_at(self, k: int) -> Interval:
        return pass_at_k_interval(self.right, self.n, k)

    def by_problem(self, k: int = 1) -> NDArray[np.float64]:
        """pass@k of each problem (P,); for k = 1 its share of right samples."""
        samples = np.full(len(self.right), self.n)
        if k == 1:
            return avg_at_k_by_problem(samples, self.right)
        return pass_at_k_by_problem(samples, self.right, k)


def evaluations(rows: Iterable[Mapping[str, Any]]) -> list[Evaluation]:
    """Every evaluation in metrics rows, in their order. Rows without counts are left out."""
    found = []
    for row in rows:
        for name, counts in row.items():
            match = COUNTS.fullmatch(name)
            if match and isinstance(counts, list) and counts:
                right = tuple(int(c) for c in counts)
                found.append(
                    Evaluation(int(row["step"]), str(row.get("phase", "")), match["data"], int(match["n"]), right)
                )
    return found


def powers_up_to(n: int) -> list[int]:
    """The k > 1 of pass@k that n samples allow: powers of two, and n itself."""
    return sorted({1 << i for i in range(1, n.bit_length()) if 1 << i <= n} | ({n} if n > 1 else set()))


def paired(before: Evaluation, after: Evaluation, k: int = 1) -> Interval:
    """Difference after - before of pass@k (k = 1: of avg@n), paired by problem, with its 95 % interval.

    Errors: UserError unless both are of the same data set and number of problems.
    """
    if before.data != after.data or len(before.right) != len(after.right):
        raise UserError(
            f"a paired difference needs the same problems: {before.data} with {len(before.right)} "
            f"and {after.data} with {len(after.right)}"
        )
    return paired_difference(before.by_problem(k), after.by_problem(k))
