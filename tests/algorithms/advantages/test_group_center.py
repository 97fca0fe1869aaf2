"""Dr. GRPO's advantage."""

from __future__ import annotations

import torch
from advantage_cases import agree, check, groups_of

from crucible.algorithms.advantages.group_center import group_center
from crucible.types import Scores


def oracle(rows):
    found = [0.0] * len(rows)
    for members in groups_of(rows):
        mean = sum(rows[i].reward for i in members) / len(members)
        for i in members:
            found[i] = rows[i].reward - mean
    return found


def test_against_loops():
    agree(group_center, oracle)


def test_worked_numbers():
    check(group_center, [1, 2, 3, 6], [-2, -1, 0, 3])


def test_integer_rewards():
    found = group_center(Scores(torch.tensor([1, 0])), torch.tensor([0, 0]), torch.ones(2, 1))
    assert found.values.flatten().tolist() == [0.5, -0.5]
