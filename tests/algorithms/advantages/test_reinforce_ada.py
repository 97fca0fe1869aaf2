"""Reinforce-Ada's down-sampling."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from advantage_cases import agree, check, groups_of

from crucible.algorithms.advantages.reinforce_ada import reinforce_ada
from crucible.types import Scores

EXCEPTIONS = {"row_order": "first come, first kept"}


def oracle(rows):
    found = [0.0] * len(rows)
    for members in groups_of(rows):
        for i in members:
            found[i] = rows[i].reward - sum(rows[j].reward for j in members) / len(members)
    return found


def test_against_loops():
    agree(reinforce_ada, oracle)


def test_worked_numbers():
    check(reinforce_ada, [1, 1] + [0] * 14, [0.875] * 2 + [-0.125] * 14)
    check(reinforce_ada, [1] * 3 + [0] * 9, [0.75] * 3 + [-0.25] * 9)


@pytest.mark.parametrize(
    ("right", "wrong", "kept"),
    [(2, 14, (2, 2)), (3, 9, (2, 2)), (1, 7, (1, 3)), (7, 1, (3, 1)), (0, 6, (0, 4)), (6, 0, (4, 0)), (1, 1, (1, 1))],
)
def test_half_of_each_and_what_is_short_is_filled_up(right, wrong, kept):
    reward = torch.tensor([0.0] * wrong + [1.0] * right)
    found = reinforce_ada(Scores(reward), torch.zeros(len(reward)), torch.ones(len(reward), 1)).keep
    assert (int(found[wrong:].sum()), int(found[:wrong].sum())) == kept


def test_an_odd_number_leaves_the_larger_half_to_the_wrong():
    reward = torch.tensor([0.0, 0.0, 0.0, 1.0, 1.0, 1.0])
    found = partial(reinforce_ada, kept=3)(Scores(reward), torch.zeros(6), torch.ones(6, 1)).keep
    assert found.tolist() == [True, True, False, True, False, False]
