"""Pass@k GRPO."""

from __future__ import annotations

from functools import partial
from statistics import stdev

from advantage_cases import agree, check, groups_of

from crucible.algorithms.advantages.pass_at_k_best import pass_at_k_best


def oracle(rows, divide=False):
    found = [0.0] * len(rows)
    for members in groups_of(rows):
        order = sorted(members, key=lambda i: rows[i].reward)
        if len(order) > 1:
            lead = rows[order[-1]].reward - rows[order[-2]].reward
            found[order[-1]] = lead / (stdev(rows[i].reward for i in members) + 1e-6) if divide else lead
    return found


def test_against_loops():
    agree(pass_at_k_best, oracle)
    agree(partial(pass_at_k_best, divide_by_std=True), partial(oracle, divide=True))


def test_worked_numbers():
    check(pass_at_k_best, [0.2, 0.9, 0.5], [0, 0.4, 0])
    check(partial(pass_at_k_best, divide_by_std=True), [0.2, 0.9, 0.5], [0, 1.138986, 0], close=4e-6)


def test_two_best_teach_nothing():
    check(pass_at_k_best, [1, 1, 0], [0, 0, 0])
