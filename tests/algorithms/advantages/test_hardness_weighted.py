"""Confucius3-Math's hardness weighting."""

from __future__ import annotations

from functools import partial

import pytest
from advantage_cases import agree, check, groups_of

from crucible.algorithms.advantages.hardness_weighted import hardness_weighted
from crucible.errors import UserError


def oracle(rows):
    found = [0.0] * len(rows)
    for members in groups_of(rows):
        unit = {i: 2 * rows[i].reward - 1 for i in members}
        mean = sum(unit.values()) / len(members)
        for i in members:
            found[i] = (unit[i] - mean) * (1.256 - 0.256 * mean)
    return found


def test_against_loops():
    agree(hardness_weighted, oracle)


def test_worked_numbers():
    signed = partial(hardness_weighted, wrong_reward=-1.0)
    check(signed, [1, 1, 1, -1], [0.564, 0.564, 0.564, -1.692])
    check(signed, [-1, -1, -1, 1], [-0.692, -0.692, -0.692, 2.076])
    check(hardness_weighted, [0, 0, 0, 1], [-0.692, -0.692, -0.692, 2.076])


def test_a_scale_upside_down_is_refused():
    with pytest.raises(UserError, match="must be above"):
        check(partial(hardness_weighted, wrong_reward=1.0), [1, 0], [0, 0])
