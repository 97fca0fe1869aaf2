"""ReMax: the greedy completion as the baseline."""

from __future__ import annotations

from functools import partial

import torch
from advantage_cases import agree, check, tokens

from crucible.algorithms.advantages.remax import remax
from crucible.types import Scores

EXCEPTIONS = {
    "equal_rewards": "the baseline is the greedy completion's reward",
    "group_of_one": "no baseline of the group",
}


def oracle(rows, gamma=1.0):
    return [
        [
            sum(gamma ** (k - t) * row.paid[k] for k in range(t, row.length)) - row.greedy_rewards
            for t in range(row.length)
        ]
        for row in rows
    ]


def test_against_loops():
    agree(remax, oracle, kinds=("binary", "graded", "steps"))
    agree(partial(remax, gamma=0.5), partial(oracle, gamma=0.5))


def test_worked_numbers():
    check(remax, [1], [0.75], greedy_rewards=torch.tensor([0.25], dtype=torch.float64))
    found = tokens(remax, [1], lengths=[2], greedy_rewards=torch.tensor([1.0], dtype=torch.float64))
    assert found.tolist() == [[0.0, 0.0]]


def test_rows_whose_greedy_completion_has_no_reward_are_left_out():
    greedy = torch.tensor([0.5, float("nan"), 0.5])
    scores = Scores(torch.tensor([1.0, 1.0, 0.0]), valid=torch.tensor([True, True, False]))
    found = remax(scores, torch.ones(3, 2), greedy)
    assert found.keep.tolist() == [True, False, False]
    assert found.values.tolist() == [[0.5, 0.5], [0.0, 0.0], [0.0, 0.0]]
