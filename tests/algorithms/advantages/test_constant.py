"""Every row counts alike."""

from __future__ import annotations

import torch
from advantage_cases import agree, check

from crucible.algorithms.advantages.constant import constant
from crucible.types import Scores

EXCEPTIONS = {"equal_rewards": "A = 1 on every row, no baseline", "group_of_one": "no baseline, no group"}


def oracle(rows):
    return [1.0 for _ in rows]


def test_against_loops():
    agree(constant, oracle)


def test_worked_numbers():
    check(constant, [1, 0, -3], [1, 1, 1])


def test_a_row_without_a_reward_counts_for_nothing():
    scores = Scores(torch.tensor([1.0, float("nan")]), valid=torch.tensor([True, False]))
    found = constant(scores, torch.zeros(2, dtype=torch.int64), torch.ones(2, 3))
    assert found.values.tolist() == [[1, 1, 1], [0, 0, 0]]
    assert found.keep.tolist() == [True, False]
