"""DPPO with total variation."""

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
    call,
    tokens,
    value_and_slope,
)

from crucible.algorithms.losses.dppo_tv import dppo_tv
from crucible.errors import UserError


def oracle(log_delta, a, logp, *, threshold_low=0.2, threshold_high=0.2, ratio_cap=20.0, pull=0.0):
    rise = math.exp(logp) - math.exp(logp - log_delta)
    left_out = rise > threshold_high if a > 0 else rise < -threshold_low
    weight = 0.0 if left_out else min(math.exp(log_delta), ratio_cap)
    return -a * weight * logp + pull * log_delta**2, -a * weight + 2 * pull * log_delta


# the old probabilities below times these ratios stay below 1 and cross every threshold
RATIOS = (0.001, 0.3, 0.59, 0.61, 0.9, 1.0, 1.1, 1.39, 1.41, 1.8)


@pytest.mark.parametrize(
    "hyper", [{}, {"threshold_low": 0.05, "threshold_high": 0.3}, {"ratio_cap": 1.05}, {"pull": 0.3}]
)
def test_value_and_coefficient_in_every_region(hyper):
    assert_tokens(dppo_tv, oracle, ratios=RATIOS, old_logps=[math.log(0.5), math.log(0.03)], **hyper)


def test_worked_numbers():
    assert_f1(dppo_tv, [0, 0.693147, 0.693147, -0.431523, 0], [0, -1, -0.5, 1.5, 0], 0.190954)
    assert call(dppo_tv, F1).diagnostics["outside_trust_region"].tolist() == [[1, 0, 0], [0, 1, 0]]


def test_a_rare_token_may_move_by_any_ratio_and_a_frequent_one_by_little():
    rare = tokens([math.log(15.0)], [1.0], [math.log(0.01)])
    frequent = tokens([math.log(0.95 / 0.7)], [1.0], [math.log(0.7)])
    assert float(value_and_slope(dppo_tv, rare)[1]) == pytest.approx(-15.0)
    assert float(value_and_slope(dppo_tv, frequent)[1]) == 0.0


def test_a_move_of_exactly_the_threshold_is_kept():
    """0.5 -> 0.75 and back: both differences are exact in binary."""
    for old, new, a in ((0.5, 0.75, 1.0), (0.75, 0.5, -1.0)):
        token = tokens([math.log(new) - math.log(old)], [a], [math.log(old)])
        moved = abs(float(token["logps"].exp() - token["old_logps"].exp()))
        at = partial(dppo_tv, threshold_low=moved, threshold_high=moved)
        less = partial(dppo_tv, threshold_low=moved - 1e-12, threshold_high=moved - 1e-12)
        assert float(value_and_slope(at, token)[1]) == pytest.approx(-a * new / old)
        assert float(value_and_slope(less, token)[1]) == 0.0


def test_it_starts_as_the_policy_gradient():
    assert_policy_gradient_on_policy(dppo_tv)


def test_a_threshold_of_zero_is_refused():
    with pytest.raises(UserError, match="dppo_tv: threshold_high"):
        value_and_slope(partial(dppo_tv, threshold_high=0.0), batch(1))
    with pytest.raises(UserError, match="dppo_tv: pull"):
        value_and_slope(partial(dppo_tv, pull=-1.0), batch(1))
