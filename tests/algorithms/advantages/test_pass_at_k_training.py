"""Pass@k training, against every subset of the group."""

from __future__ import annotations

from functools import partial
from itertools import combinations
from math import sqrt

import pytest
from advantage_cases import agree, check, groups_of, tokens

from crucible.algorithms.advantages.group_norm import group_norm
from crucible.algorithms.advantages.pass_at_k_training import pass_at_k_training
from crucible.errors import UserError


def oracle(rows, k):
    """Each subset of k rows is rewarded 1 when it holds a right one; a row's advantage is the mean over its subsets."""
    found = [0.0] * len(rows)
    for members in groups_of(rows):
        subsets = list(combinations(members, min(k, len(members))))
        reward = [float(any(rows[i].reward >= 1.0 for i in s)) for s in subsets]
        mean = sum(reward) / len(reward)
        sigma = sqrt(sum((r - mean) ** 2 for r in reward) / len(reward))
        for i in members:
            own = [r for s, r in zip(subsets, reward, strict=True) if i in s]
            found[i] = (sum(own) / len(own) - mean) / sigma if sigma else 0.0
    return found


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_against_every_subset(k):
    agree(partial(pass_at_k_training, k=k), partial(oracle, k=k), kinds=("binary",), seeds=12)


def test_worked_numbers():
    """G 4, one right, k 2: m = 1 - 3/6 = .5, sigma .5; right (1 - .5)/.5, wrong (.5 - 2/3)/.5."""
    check(partial(pass_at_k_training, k=2), [1, 0, 0, 0], [1, -1 / 3, -1 / 3, -1 / 3])


def test_one_is_grpo_with_the_population_deviation():
    for reward in ([1, 0, 0], [1, 1, 0, 1, 0]):
        expected = tokens(partial(group_norm, std="population", eps=0.0), reward)[:, 0].tolist()
        check(partial(pass_at_k_training, k=1), reward, expected)


def test_fewer_wrong_than_k_teaches_nothing():
    check(partial(pass_at_k_training, k=3), [1, 1, 0, 0], [0, 0, 0, 0])


def test_large_groups_do_not_overflow():
    check(partial(pass_at_k_training, k=64), [1] + [0] * 511, [7**0.5] + [-((7**0.5) / 511)] * 511, close=1e-6)


def test_k_under_one_is_refused():
    with pytest.raises(UserError, match="k is 0"):
        check(partial(pass_at_k_training, k=0), [1, 0], [0, 0])
