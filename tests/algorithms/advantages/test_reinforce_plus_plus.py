"""REINFORCE++."""

from __future__ import annotations

from functools import partial
from math import sqrt
from statistics import mean, variance

import pytest
from advantage_cases import agree, tokens

from crucible.algorithms.advantages.reinforce_plus_plus import reinforce_plus_plus

EXCEPTIONS = {"group_of_one": "there are no groups: a completion is compared with the batch"}


def oracle(rows, gamma=1.0):
    returns = [[sum(gamma**k * r for k, r in enumerate(row.paid[t:])) for t in range(row.length)] for row in rows]
    every = [g for row in returns for g in row]
    if len(every) < 2:
        return [[0.0] * len(row) for row in returns]
    return [[(g - mean(every)) / sqrt(variance(every) + 1e-8) for g in row] for row in returns]


def test_against_loops():
    agree(reinforce_plus_plus, oracle, kinds=("binary", "graded", "steps"))
    agree(partial(reinforce_plus_plus, gamma=0.9), partial(oracle, gamma=0.9), kinds=("graded", "steps"))


def test_worked_numbers():
    found = tokens(reinforce_plus_plus, [1, 0], lengths=[2, 2]).flatten().tolist()
    assert found == pytest.approx([0.866025, 0.866025, -0.866025, -0.866025], abs=1e-6)
    found = tokens(partial(reinforce_plus_plus, gamma=0.5), [1, 0], lengths=[2, 2]).flatten().tolist()
    assert found == pytest.approx([0.261116, 1.305582, -0.783349, -0.783349], abs=1e-6)


def test_one_token_is_zero():
    assert tokens(reinforce_plus_plus, [3.0]).tolist() == [[0.0]]
