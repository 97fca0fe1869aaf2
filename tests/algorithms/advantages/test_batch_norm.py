"""Lite PPO's advantage."""

from __future__ import annotations

from functools import partial
from statistics import mean, stdev

from advantage_cases import agree, check, groups_of

from crucible.algorithms.advantages.batch_norm import batch_norm


def oracle(rows):
    found = [0.0] * len(rows)
    spread = stdev([row.reward for row in rows]) if len(rows) > 1 else 0.0
    for members in groups_of(rows):
        centre = mean(rows[i].reward for i in members)
        for i in members:
            found[i] = (rows[i].reward - centre) / (spread + 1e-6)
    return found


def test_against_loops():
    agree(batch_norm, oracle)


def test_worked_numbers():
    check(partial(batch_norm, eps=1e-4), [1, 0, 1, 1], [0.9998, -0.9998, 0, 0], [0, 0, 1, 1], close=1e-5)
