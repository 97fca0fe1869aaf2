"""The forward correction, by its expectations."""

from __future__ import annotations

from functools import partial

import pytest
from advantage_cases import agree, check, tokens

from crucible.algorithms.advantages.noisy_forward import noisy_forward
from crucible.errors import UserError

EXCEPTIONS = {"equal_rewards": "a weight of the verdict, without a baseline", "group_of_one": "no baseline, no group"}


def oracle(rows):
    return [0.2 if row.reward >= 1 else -0.8 for row in rows]


def test_against_loops():
    agree(noisy_forward, oracle)


@pytest.mark.parametrize("rho0", [0.0, 0.1, 0.5])
def test_its_expectation_is_the_clean_gradient(rho0):
    rho1 = 0.2
    no, yes = tokens(partial(noisy_forward, false_negative=rho1), [0, 1])[:, 0].tolist()
    assert (1 - rho1) * yes + rho1 * no == pytest.approx(0.0)  # truly right
    assert rho0 * yes + (1 - rho0) * no == pytest.approx(-(1 - rho0 - rho1))  # truly wrong: -0.7 for 0.1


def test_an_impossible_rate_is_refused():
    with pytest.raises(UserError, match="false_negative is 1"):
        check(partial(noisy_forward, false_negative=1.0), [0, 1], [0, 0])
