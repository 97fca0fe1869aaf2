"""OREAL's choice of rows."""

from __future__ import annotations

import torch
from advantage_cases import agree, check, groups_of
from rollout_cases import case

from crucible.algorithms.advantages.oreal import oreal
from crucible.types import Scores

EXCEPTIONS = {"row_order": "the first right and the first wrong row of a prompt are kept"}


def oracle(rows):
    found = [0.0] * len(rows)
    for members in groups_of(rows):
        for i in members:
            others = [rows[j].reward for j in members if j != i]
            gap = rows[i].reward - sum(others) / len(others) if others else 0.0
            found[i] = gap if rows[i].reward >= 1 else 0.5 * gap
    return found


def test_against_loops():
    agree(oreal, oracle)


def test_worked_numbers():
    """Leave-one-out of [1, 1, 0, 0]: 2/3 and -2/3, halved on the wrong side."""
    check(oreal, [1, 1, 0, 0], [2 / 3, 2 / 3, -1 / 3, -1 / 3])


def test_one_right_and_one_wrong_row_of_each_prompt_are_kept():
    scores = Scores(torch.tensor([0.0, 1, 1, 0, 1, 1, 0, 0]), valid=torch.tensor([False] + [True] * 7))
    group = torch.tensor([0, 0, 0, 0, 1, 1, 2, 2])
    kept = oreal(scores, group, torch.ones(8, 1)).keep
    assert kept.tolist() == [False, True, False, True, False, False, False, False]


def test_at_most_two_rows_of_a_prompt():
    given = case(5)
    kept = oreal(given["scores"], given["group"], given["mask"]).keep
    for number in given["group"].unique():
        chosen = given["scores"].total[(given["group"] == number) & kept].tolist()
        assert sorted(chosen) in ([], [0.0, 1.0])
