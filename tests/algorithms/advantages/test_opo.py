"""OPO's advantage."""

from __future__ import annotations

from advantage_cases import agree, check, groups_of

from crucible.algorithms.advantages.opo import opo


def oracle(rows):
    found = [0.0] * len(rows)
    for members in groups_of(rows):
        baseline = sum(rows[i].length * rows[i].reward for i in members) / sum(rows[i].length for i in members)
        for i in members:
            found[i] = rows[i].reward - baseline
    return found


def test_against_loops():
    agree(opo, oracle)


def test_worked_numbers():
    check(opo, [1, 0, 1], [0.25, -0.75, 0.25], lengths=[2, 2, 4])
    check(opo, [1, 0], [0.75, -0.25], lengths=[1, 3])
