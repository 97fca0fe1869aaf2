"""maj@k: is the answer that most of k samples give the right one?"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from crucible.errors import UserError

Answer = Hashable | None


def majority(answers: Sequence[Answer]) -> int | None:
    """Index of the first sample with the most frequent answer; a tie goes to the answer seen first.

    None is an answer that could not be read: it has no vote. None for no votes at all. Wang et al. 2022,
    arXiv 2203.11171.
    """
    votes: dict[Hashable, int] = {}
    first: dict[Hashable, int] = {}
    for i, answer in enumerate(answers):
        if answer is not None:
            votes[answer] = votes.get(answer, 0) + 1
            first.setdefault(answer, i)
    return first[max(votes, key=votes.__getitem__)] if votes else None


def maj_at_k(answers: Sequence[Answer], correct: Sequence[bool], k: int, *, subsets: int = 200, seed: int = 0) -> float:
    """Chance that k of these n samples of a problem vote for a right answer, with the correctness of the first
    member of the winning group; no readable answer counts as wrong.

    k = n is the one vote of all samples; for k < n the mean over `subsets` seeded random draws of k samples, kept in
    their order. Errors: UserError unless 1 <= k <= n and each answer has its correctness.
    """
    n = len(answers)
    if len(correct) != n:
        raise UserError(f"maj@{k}: {n} answers and {len(correct)} marks; one each is needed")
    if not 1 <= k <= n:
        raise UserError(f"maj@{k} from {n} samples a problem is undefined: k must be between 1 and {n}")
    if k == n:
        winner = majority(answers)
        return float(winner is not None and bool(correct[winner]))
    rng = np.random.default_rng(seed)
    right = 0
    for _ in range(subsets):
        drawn = sorted(rng.choice(n, size=k, replace=False).tolist())
        winner = majority([answers[i] for i in drawn])
        right += winner is not None and bool(correct[drawn[winner]])
    return right / subsets
