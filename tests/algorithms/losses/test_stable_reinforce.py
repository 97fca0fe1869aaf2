"""StableReinforce's pre-clip."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from loss_cases import (
    assert_f1,
    assert_policy_gradient_on_policy,
    assert_tokens,
    batch,
    slope_at,
    tokens,
    value_and_slope,
)

from crucible.algorithms.losses.ppo_clip import ppo_clip
from crucible.algorithms.losses.stable_reinforce import stable_reinforce
from crucible.errors import UserError


def oracle(log_delta, a, logp, *, pre_clip=1e3, eps_low=0.2, eps_high=0.2):
    if a > 0:
        if log_delta > math.log1p(eps_high):
            return -a * (1 + eps_high), 0.0
        return (-a / pre_clip, 0.0) if log_delta < -math.log(pre_clip) else (-a * math.exp(log_delta),) * 2
    if log_delta < math.log(1 - eps_low):
        return -a * (1 - eps_low), 0.0
    return (-a * pre_clip, 0.0) if log_delta > math.log(pre_clip) else (-a * math.exp(log_delta),) * 2


RATIOS = (1e-5, 9e-4, 1.1e-3, 0.1, 0.79, 0.81, 1.0, 1.19, 1.21, 5.0, 9.9, 10.1, 999.0, 1001.0, 1e5)


@pytest.mark.parametrize("hyper", [{}, {"pre_clip": 10.0, "eps_high": 0.5}])
def test_value_and_coefficient_in_every_region(hyper):
    assert_tokens(stable_reinforce, oracle, ratios=RATIOS, **hyper)


def test_it_is_ppo_on_the_fixture():
    """F1 has no ratio that the pre-clip reaches."""
    assert_f1(stable_reinforce, [-1.2, -1, -0.5, 1.5, 0.8], [0, -1, -0.5, 1.5, 0], -0.08)


@pytest.mark.parametrize(("log_delta", "a"), [(math.log(1e3), -1.0), (-math.log(1e3), 1.0)])
def test_on_the_bound_and_beyond_it(log_delta, a):
    ratio, coefficient = slope_at(stable_reinforce, log_delta, a)
    assert coefficient == pytest.approx(ratio, rel=1e-12)
    assert slope_at(stable_reinforce, log_delta * (1 + 1e-12), a)[1] == 0.0


def test_within_the_bound_it_is_ppo():
    given = batch(3, spread=1.0)
    for a, b in zip(value_and_slope(stable_reinforce, given), value_and_slope(ppo_clip, given), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_an_exploded_ratio_costs_no_more_than_the_bound():
    value, slope = value_and_slope(stable_reinforce, tokens([70.0], [-2.0], [-90.0]))
    assert (float(value), float(slope)) == pytest.approx((2000.0, 0.0))


def test_it_starts_as_the_policy_gradient():
    assert_policy_gradient_on_policy(stable_reinforce)


def test_a_pre_clip_inside_the_band_is_refused():
    with pytest.raises(UserError, match="stable_reinforce: pre_clip"):
        value_and_slope(partial(stable_reinforce, pre_clip=1.1), batch(1))
