"""BNPO, with the density of scipy."""

from __future__ import annotations

from functools import partial
from statistics import mean, variance

import pytest
from advantage_cases import agree, check, groups_of
from scipy.stats import beta

from crucible.algorithms.advantages.bnpo import bnpo
from crucible.errors import UserError


def oracle(rows, reward=lambda row: row.reward):
    found = [0.0] * len(rows)
    rates = {k: mean(reward(rows[i]) for i in members) for k, members in enumerate(groups_of(rows))}
    a = b = 1.0
    if len(rates) > 1 and variance(rates.values()) > 1e-12:
        m, v = mean(rates.values()), variance(rates.values())
        k = m * (1 - m) / v - 1
        a, b = max(1 + k * m / 3, 1.0), max(1 + k * (1 - m) / 3, 1.0)
    for k, members in enumerate(groups_of(rows)):
        for i in members:
            weight = min(1 / beta.pdf(min(max(rates[k], 1e-6), 1 - 1e-6), a, b), 1e6)
            found[i] = (reward(rows[i]) - rates[k]) * weight
    return found


def test_against_loops():
    agree(bnpo, oracle, close=1e-8)


def test_decomposed_it_is_the_mean_over_the_components():
    def mean_of_components(rows):
        parts = [oracle(rows, lambda row, n=name: row.components[n]) for name in ("exact", "format")]
        return [sum(pair) / 2 for pair in zip(*parts, strict=True)]

    agree(partial(bnpo, decompose=True), mean_of_components, close=1e-8)
    with pytest.raises(UserError, match="has no components"):
        check(partial(bnpo, decompose=True), [1, 0], [0, 0])


def test_worked_numbers():
    reward, group = [1, 0, 0, 0, 1, 1, 1, 0], [0] * 4 + [1] * 4
    check(bnpo, reward, [0.716606, *[-0.238869] * 3, *[0.238869] * 3, -0.716606], group)
    rates = {0.4: 0.478426, 0.5: 0.406349, 0.6: 0.478426}
    reward = [1.0] * 4 + [0.0] * 6 + [1.0] * 5 + [0.0] * 5 + [1.0] * 6 + [0.0] * 4
    expected = [(r - p) * rates[p] for r, p in zip(reward, [0.4] * 10 + [0.5] * 10 + [0.6] * 10, strict=True)]
    check(bnpo, reward, expected, [0] * 10 + [1] * 10 + [2] * 10)


def test_one_prompt_or_equal_rates_is_the_centred_reward():
    check(bnpo, [1, 0, 0, 0], [0.75, -0.25, -0.25, -0.25])
    check(bnpo, [1, 0, 0, 1], [0.5, -0.5, -0.5, 0.5], [0, 0, 1, 1])


def test_rewards_outside_the_unit_interval_are_refused():
    with pytest.raises(UserError, match="a reward is -1"):
        check(bnpo, [1, -1], [0, 0])
