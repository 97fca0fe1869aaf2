"""maj@k: is the answer that most of k samples give the right one? Out of the votes of n samples of a problem."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from functools import lru_cache

import numpy as np

from crucible.analysis.statistics.interval import Values
from crucible.errors import UserError

Votes = Sequence[Sequence[int]]  # (samples, right ones among them) of each distinct answer


def count_votes(answers: Sequence[Hashable | None], right: Sequence[bool]) -> list[list[int]]:
    """[samples, right ones among them] of each distinct answer, the most frequent first.

    None is an answer that could not be read: it has no vote.
    """
    found: dict[Hashable, list[int]] = {}
    for answer, correct in zip(answers, right, strict=True):
        if answer is not None:
            votes = found.setdefault(answer, [0, 0])
            votes[0] += 1
            votes[1] += bool(correct)
    return sorted(found.values(), reverse=True)


def maj_at_k(votes: Votes, n: int, k: int) -> float:
    """Chance that k of the n samples of a problem vote for a right answer: exact, over all draws and orders.

    Majority vote (self-consistency), Wang et al. 2022, arXiv 2203.11171: the most frequent answer wins, and its
    first sample says whether it is right. A mean over all draws of k out of n, so an unbiased estimate of maj@k with
    k fresh samples.
    Differs from common implementations: a tie goes to the answer seen first there, in the one order the samples have;
    here each of t tied answers wins with chance 1/t, and an answer is right with its share of right samples: the mean
    over all orders. No readable answer among the k is wrong.
    Errors: UserError unless 1 <= k <= n and the votes are at most n.
    """
    groups = tuple((int(count), int(right)) for count, right in votes)
    if not 1 <= k <= n:
        raise UserError(f"maj@{k} from {n} samples a problem is undefined: k must be between 1 and {n}")
    if sum(count for count, _ in groups) > n or any(not 0 <= right <= count for count, right in groups):
        raise UserError(f"maj@{k}: {list(groups)} are no votes of {n} samples, (samples, right ones) of each answer")
    return _expected(groups, n, k)


def maj_at_k_by_problem(votes: Sequence[Votes], n: int, k: int) -> Values:
    """`maj_at_k` of each problem (P,)."""
    return np.array([maj_at_k(groups, n, k) for groups in votes], dtype=np.float64)


@lru_cache(maxsize=100_000)
def _expected(groups: tuple[tuple[int, int], ...], n: int, k: int) -> float:
    counts = [count for count, _ in groups]
    if k == n:
        most = [right / count for count, right in groups if count == max(counts)]
        return sum(most) / len(most) if most else 0.0
    unread = n - sum(counts)
    total = 0.0
    for i, (count, right) in enumerate(groups):
        if right:
            others = counts[:i] + counts[i + 1 :]
            ways = sum(math.comb(count, v) * _wins(others, unread, v, k - v) for v in range(1, min(count, k) + 1))
            total += right / count * ways
    return total / math.comb(n, k)


def _wins(others: Sequence[int], unread: int, votes: int, rest: int) -> float:
    """Draws of `rest` samples in which no other answer has more than `votes`, each over 1 + those that have as many."""
    table = {(0, 0): 1}  # (other answers with as many votes, samples drawn) -> draws
    for count in others:
        longer: dict[tuple[int, int], int] = {}
        for (ties, drawn), ways in table.items():
            for v in range(min(count, votes, rest - drawn) + 1):
                place = (ties + (v == votes), drawn + v)
                longer[place] = longer.get(place, 0) + ways * math.comb(count, v)
        table = longer
    return sum(ways * math.comb(unread, rest - drawn) / (1 + ties) for (ties, drawn), ways in table.items())
