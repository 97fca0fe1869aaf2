"""RLOO's advantage."""

from __future__ import annotations

from advantage_cases import agree, check, groups_of

from crucible.algorithms.advantages.rloo import rloo


def oracle(rows):
    found = [0.0] * len(rows)
    for members in groups_of(rows):
        for i in members:
            others = [rows[j].reward for j in members if j != i]
            if others:
                found[i] = rows[i].reward - sum(others) / len(others)
    return found


def test_against_loops():
    agree(rloo, oracle)


def test_worked_numbers():
    check(rloo, [1, 2, 3, 6], [-8 / 3, -4 / 3, 0, 4])
