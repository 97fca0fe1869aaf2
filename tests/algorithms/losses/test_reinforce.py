"""REINFORCE: no ratio at all."""

from __future__ import annotations

from loss_cases import assert_f1, assert_policy_gradient_on_policy, assert_tokens

from crucible.algorithms.losses.reinforce import reinforce


def oracle(log_delta, a, logp):
    return -a * logp, -a


def test_value_and_coefficient_in_every_region():
    assert_tokens(reinforce, oracle)


def test_worked_numbers():
    values = [0.287682, 0.693147, 1.386294, -0.287682, -1.386294]
    assert_f1(reinforce, values, [-1, -1, -1, 1, 1], 0.138629)


def test_it_starts_as_the_policy_gradient():
    assert_policy_gradient_on_policy(reinforce)
