"""REINFORCE++ with a group baseline."""

from __future__ import annotations

from math import sqrt
from statistics import mean, variance

from advantage_cases import agree, check, groups_of

from crucible.algorithms.advantages.reinforce_plus_plus_baseline import reinforce_plus_plus_baseline


def oracle(rows):
    centred = [0.0] * len(rows)
    for members in groups_of(rows):
        for i in members:
            centred[i] = rows[i].reward - mean(rows[j].reward for j in members)
    tokens = [a for a, row in zip(centred, rows, strict=True) for _ in range(row.length)]
    if len(tokens) < 2:
        return [0.0] * len(rows)
    return [(a - mean(tokens)) / sqrt(variance(tokens) + 1e-8) for a in centred]


def test_against_loops():
    agree(reinforce_plus_plus_baseline, oracle)


def test_worked_numbers():
    check(reinforce_plus_plus_baseline, [1, 0, 1, 1], [1.224745, -1.224745, 0, 0], [0, 0, 1, 1])


EXCEPTIONS = {"group_of_one": "whitened with the batch, so it gets the constant -mean / std of rows without signal"}
