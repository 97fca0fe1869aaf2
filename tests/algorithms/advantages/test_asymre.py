"""AsymRE."""

from __future__ import annotations

from functools import partial

from advantage_cases import agree, check, groups_of

from crucible.algorithms.advantages.asymre import asymre

EXCEPTIONS = {
    "equal_rewards": "the baseline is below the mean on purpose, so equal rewards are reinforced",
    "group_of_one": "its baseline is its own reward plus the offset",
}


def oracle(rows):
    found = [0.0] * len(rows)
    for members in groups_of(rows):
        for i in members:
            found[i] = rows[i].reward - sum(rows[j].reward for j in members) / len(members) + 0.1
    return found


def test_against_loops():
    agree(asymre, oracle)


def test_worked_numbers():
    check(asymre, [1, 0, 0, 0], [0.85, -0.15, -0.15, -0.15])
    check(partial(asymre, offset=0.0), [1, 0, 0, 0], [0.75, -0.25, -0.25, -0.25])
    check(asymre, [1, 1], [0.1, 0.1])
