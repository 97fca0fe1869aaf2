"""The backward correction, by its expectations."""

from __future__ import annotations

from functools import partial

import pytest
from advantage_cases import agree, check, tokens

from crucible.algorithms.advantages.noisy_backward import noisy_backward
from crucible.errors import UserError

EXCEPTIONS = {"equal_rewards": "an unbiased reward is the weight itself", "group_of_one": "no baseline, no group"}


def oracle(rows):
    return [row.reward / 0.7 - 1 / 7 for row in rows]


def test_against_loops():
    agree(noisy_backward, oracle)


def test_worked_numbers():
    check(noisy_backward, [0, 1], [-0.142857, 1.285714])


@pytest.mark.parametrize(("rho0", "rho1"), [(0.1, 0.2), (0.4, 0.05), (0.0, 0.0)])
def test_it_is_unbiased(rho0, rho1):
    no, yes = tokens(partial(noisy_backward, false_positive=rho0, false_negative=rho1), [0, 1])[:, 0].tolist()
    assert rho0 * yes + (1 - rho0) * no == pytest.approx(0.0)  # truly wrong
    assert (1 - rho1) * yes + rho1 * no == pytest.approx(1.0)  # truly right


def test_a_useless_verifier_is_refused():
    with pytest.raises(UserError, match="sum under 1"):
        check(partial(noisy_backward, false_positive=0.5, false_negative=0.5), [0, 1], [0, 0])
