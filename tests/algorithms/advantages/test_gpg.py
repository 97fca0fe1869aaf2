"""GPG's advantage."""

from __future__ import annotations

from functools import partial

from advantage_cases import agree, check, groups_of

from crucible.algorithms.advantages.gpg import gpg


def oracle(rows):
    alpha = len(rows) / max(sum(row.reward != 0 for row in rows), 1)
    found = [0.0] * len(rows)
    for members in groups_of(rows):
        mean = sum(rows[i].reward for i in members) / len(members)
        for i in members:
            found[i] = alpha * (rows[i].reward - mean)
    return found


def test_against_loops():
    agree(gpg, oracle)
    agree(partial(gpg, scale=2.0), lambda rows: [a / 2 for a in oracle(rows)])


def test_worked_numbers():
    check(gpg, [1, 0, 0, 1], [1, -1, -1, 1])


def test_all_wrong_does_not_divide_by_zero():
    check(gpg, [0, 0, 0], [0, 0, 0])
