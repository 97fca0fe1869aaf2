"""DPPO with a binary KL."""

from __future__ import annotations

import math
from functools import partial

import pytest
from loss_cases import (
    F1,
    assert_f1,
    assert_policy_gradient_on_policy,
    assert_tokens,
    batch,
    tokens,
    value_and_slope,
)

from crucible.algorithms.losses.dppo_kl import dppo_kl
from crucible.errors import UserError


def binary_kl(old, new):
    """KL between the two Bernoulli distributions, with verl's guard."""
    return old * math.log(old / new) + (1 - old) * math.log((1 - old + 1e-8) / (1 - new + 1e-8))


def oracle(log_delta, a, logp, *, threshold_low=0.2, threshold_high=0.2, ratio_cap=20.0):
    new, old = math.exp(logp), math.exp(logp - log_delta)
    far = binary_kl(old, new) > (threshold_high if a > 0 else threshold_low)
    if far and (new > old if a > 0 else new < old):
        return 0.0, 0.0
    weight = min(math.exp(log_delta), ratio_cap)
    return -a * weight * logp, -a * weight


RATIOS = (0.001, 0.1, 0.3, 0.5, 0.9, 1.0, 1.1, 1.5, 1.8, 1.95)  # the old probabilities times these stay below 1


@pytest.mark.parametrize(
    "hyper", [{}, {"threshold_low": 0.02, "threshold_high": 0.1}, {"threshold_high": 0.01, "ratio_cap": 1.05}]
)
def test_value_and_coefficient_in_every_region(hyper):
    assert_tokens(dppo_kl, oracle, ratios=RATIOS, old_logps=[math.log(0.5), math.log(0.03)], **hyper)


def test_worked_numbers():
    """On F1 every moved token is .143841 away."""
    assert binary_kl(0.5, 0.75) == pytest.approx(0.143841, abs=1e-6)
    assert binary_kl(0.5, 0.25) == pytest.approx(0.143841, abs=1e-6)
    logp = F1["logps"]
    values = [0.0, -float(logp[0, 1]), -0.5 * float(logp[0, 2]), 1.5 * float(logp[1, 0]), 0.0]
    assert_f1(partial(dppo_kl, threshold_low=0.14, threshold_high=0.14), values, [0, -1, -0.5, 1.5, 0], 0.190954)
    values = [-1.5 * float(logp[0, 0]), *values[1:4], 0.5 * float(logp[1, 1])]
    slopes = [-1.5, -1, -0.5, 1.5, 0.5]
    assert_f1(partial(dppo_kl, threshold_low=0.144, threshold_high=0.144), values, slopes, sum(values) / 5)


def test_only_moves_along_the_advantage_are_left_out():
    for old, new in ((0.1, 0.9), (0.9, 0.1)):
        for a in (1.0, -1.0):
            token = tokens([math.log(new / old)], [a], [math.log(old)])
            along = (new > old) == (a > 0)
            assert (float(value_and_slope(dppo_kl, token)[1]) == 0.0) == along


def test_it_starts_as_the_policy_gradient():
    assert_policy_gradient_on_policy(dppo_kl)


def test_a_certain_token_is_no_division_by_zero():
    value, slope = value_and_slope(dppo_kl, tokens([-0.1, 0.0], [-1.0, 1.0], [0.0]))
    assert value.isfinite().all()
    assert slope.isfinite().all()


def test_a_threshold_of_zero_is_refused():
    with pytest.raises(UserError, match="dppo_kl: threshold_low"):
        value_and_slope(partial(dppo_kl, threshold_low=0.0), batch(1))
