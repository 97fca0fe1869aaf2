"""StableReinforce's filter."""

from __future__ import annotations

from functools import partial
from statistics import mean, stdev

from advantage_cases import agree, check

from crucible.algorithms.advantages.stable_reinforce import stable_reinforce

EXCEPTIONS = {"group_of_one": "there are no groups: a completion is compared with the batch"}


def oracle(rows, sigmas=3.0):
    reward = [row.reward for row in rows]
    if len(reward) < 2:
        return [0.0] * len(reward)
    z = [(r - mean(reward)) / (stdev(reward) + 1e-8) for r in reward]
    return [a if abs(a) <= sigmas else 0.0 for a in z]


def test_against_loops():
    agree(stable_reinforce, oracle)
    agree(partial(stable_reinforce, sigmas=0.9), partial(oracle, sigmas=0.9))


def test_worked_numbers():
    check(stable_reinforce, [0] * 19 + [10], [-0.223607] * 19 + [0])
    check(partial(stable_reinforce, sigmas=5.0), [0] * 19 + [10], [-0.223607] * 19 + [4.248529])
