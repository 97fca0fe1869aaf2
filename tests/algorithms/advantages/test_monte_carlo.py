"""REINFORCE's return."""

from __future__ import annotations

from functools import partial

import pytest
from advantage_cases import agree, check, tokens

from crucible.algorithms.advantages.monte_carlo import monte_carlo

NO_BASELINE = "A = R: nothing is subtracted"
EXCEPTIONS = {"equal_rewards": NO_BASELINE, "group_of_one": NO_BASELINE}


def oracle(rows, gamma=1.0):
    found = []
    for row in rows:
        later, back = 0.0, []
        for r in reversed(row.paid):
            later = r + gamma * later
            back.append(later)
        found.append(back[::-1])
    return found


def test_against_loops():
    agree(monte_carlo, oracle, kinds=("binary", "graded", "steps"))
    agree(partial(monte_carlo, gamma=0.5), partial(oracle, gamma=0.5), kinds=("graded", "steps"))


def test_worked_numbers():
    check(monte_carlo, [0.25, -1.0], [0.25, -1.0], lengths=[3, 1])
    assert tokens(partial(monte_carlo, gamma=0.5), [1.0], lengths=[3]).tolist()[0] == pytest.approx([0.25, 0.5, 1.0])
