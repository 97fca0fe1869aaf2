"""MAPO."""

from __future__ import annotations

from statistics import mean, pstdev

import pytest
from advantage_cases import agree, check, groups_of

from crucible.algorithms.advantages.mapo_certainty import mapo_certainty
from crucible.errors import UserError


def oracle(rows):
    found = [0.0] * len(rows)
    for members in groups_of(rows):
        reward = [rows[i].reward for i in members]
        p = sum(r >= 1 for r in reward) / len(reward)
        for i in members:
            gap = rows[i].reward - mean(reward)
            share = gap / mean(reward) if mean(reward) else 0.0
            found[i] = 4 * p * (1 - p) * gap / (pstdev(reward) + 1e-6) + (2 * p - 1) ** 2 * share
    return found


def test_against_loops():
    agree(mapo_certainty, oracle)


def test_the_groups_of_the_paper():
    """[.9, 1, 1, 1] has 3 successes of 4: half score, a quarter certain. Score -1.73, deviation -.075 / .975."""
    low, high = 0.75 * -1.732006 + 0.25 * (-0.075 / 0.975), 0.75 * 0.577335 + 0.25 * (0.025 / 0.975)
    check(mapo_certainty, [0.9, 1, 1, 1], [low, high, high, high], close=5e-5)
    check(mapo_certainty, [0, 0.1, 0.1, 0.1], [-1, 1 / 3, 1 / 3, 1 / 3], close=1e-9)


def test_negative_rewards_are_refused():
    with pytest.raises(UserError, match="negative"):
        check(mapo_certainty, [1, -1], [0, 0])
