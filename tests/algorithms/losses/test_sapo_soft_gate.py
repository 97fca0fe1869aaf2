"""SAPO's soft gate."""

from __future__ import annotations

import math
from functools import partial

import pytest
from loss_cases import (
    assert_f1,
    assert_policy_gradient_on_policy,
    assert_tokens,
    batch,
    slope_at,
    value_and_slope,
)

from crucible.algorithms.losses.sapo_soft_gate import sapo_soft_gate
from crucible.errors import UserError


def oracle(log_delta, a, logp, *, tau_positive=1.0, tau_negative=1.05):
    """Through tanh: 4 sigmoid(x) / tau = 2 (1 + tanh(x / 2)) / tau, and 4 g (1 - g) = 1 - tanh(x / 2)^2."""
    delta = math.exp(log_delta)
    tau = tau_positive if a > 0 else tau_negative
    half = math.tanh(tau * (delta - 1) / 2)
    return -a * 2 * (1 + half) / tau, -a * (1 - half**2) * delta


@pytest.mark.parametrize("hyper", [{}, {"tau_positive": 0.3, "tau_negative": 4.0}])
def test_value_and_coefficient_in_every_region(hyper):
    assert_tokens(sapo_soft_gate, oracle, **hyper)


def test_worked_numbers():
    values = [-2.489837, -2, -1.510163, 2.393585, 1.415938]
    slopes = [-1.410022, -1, -0.470007, 1.401210, 0.467070]
    assert_f1(sapo_soft_gate, values, slopes, -0.438095)


@pytest.mark.parametrize("tau", [0.1, 1.0, 7.0])
def test_the_slope_at_a_ratio_of_one_does_not_depend_on_tau(tau):
    for a in (-1.0, 2.0):
        found = slope_at(partial(sapo_soft_gate, tau_positive=tau, tau_negative=tau), 0.0, a)
        assert found == pytest.approx((1.0, 1.0))


def test_it_starts_as_the_policy_gradient():
    assert_policy_gradient_on_policy(sapo_soft_gate)


def test_a_temperature_of_zero_is_refused():
    with pytest.raises(UserError, match="sapo_soft_gate: tau_positive"):
        value_and_slope(partial(sapo_soft_gate, tau_positive=0.0), batch(1))
