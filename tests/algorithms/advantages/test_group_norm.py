"""GRPO's advantage."""

from __future__ import annotations

from functools import partial
from statistics import mean, pstdev, stdev

import pytest
from advantage_cases import agree, check, groups_of

from crucible.algorithms.advantages.group_norm import group_norm
from crucible.errors import UserError


def oracle(rows, spread=stdev, eps=1e-6):
    found = [0.0] * len(rows)
    for members in groups_of(rows):
        reward = [rows[i].reward for i in members]
        if len(reward) > 1:
            for i, r in zip(members, reward, strict=True):
                found[i] = (r - mean(reward)) / (spread(reward) + eps)
    return found


def test_against_loops():
    agree(group_norm, oracle)
    agree(partial(group_norm, std="population", eps=1e-4), lambda rows: oracle(rows, pstdev, 1e-4))


def test_worked_numbers():
    check(group_norm, [1, 2, 3, 6], [-0.925820, -0.462910, 0, 1.388730])
    check(group_norm, [1, 0, 0, 1], [0.866024, -0.866024, -0.866024, 0.866024])
    check(partial(group_norm, eps=1e-4), [1, 0, 0, 1], [0.865875, -0.865875, -0.865875, 0.865875])
    check(group_norm, [1, 0, 0, 0], [1.499997, -0.499999, -0.499999, -0.499999])
    check(partial(group_norm, std="population"), [1, 2, 3, 6], [-1.069044, -0.534522, 0, 1.603567], close=2e-6)


def test_unknown_std_is_refused_with_the_nearest_name():
    with pytest.raises(UserError, match='did you mean "population"'):
        check(partial(group_norm, std="populaton"), [0, 0], [0, 0])


def test_a_valid_row_without_a_number_is_refused():
    with pytest.raises(UserError, match="row 1 is nan"):
        check(group_norm, [1.0, float("nan")], [0, 0])
