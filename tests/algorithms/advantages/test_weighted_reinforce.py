"""Weighted REINFORCE."""

from __future__ import annotations

from functools import partial

from advantage_cases import agree, check

from crucible.algorithms.advantages.weighted_reinforce import weighted_reinforce

EXCEPTIONS = {"equal_rewards": "lambda or -1, no baseline", "group_of_one": "no baseline, no group"}


def oracle(rows):
    return [0.1 if row.reward >= 1 else -1.0 for row in rows]


def test_against_loops():
    agree(weighted_reinforce, oracle)


def test_worked_numbers():
    check(weighted_reinforce, [1, 0], [0.1, -1])
    check(partial(weighted_reinforce, positive=0.0), [1, 0], [0, -1])
