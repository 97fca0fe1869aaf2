"""CE-GPPO and GPPO: value and coefficient in the four regions, and what they are to PPO."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from loss_cases import (
    assert_f1,
    assert_policy_gradient_on_policy,
    assert_tokens,
    batch,
    built,
    call,
    slope_at,
    tokens,
    value_and_slope,
)
from omegaconf import OmegaConf

from crucible.algorithms.losses.ce_gppo import ce_gppo
from crucible.algorithms.losses.ppo_clip import ppo_clip

QUICK = settings(max_examples=40, deadline=None)
SEEDS = st.integers(0, 10_000)
EPS = st.floats(0.01, 0.9)


def oracle(log_delta, a, logp, *, beta1=0.5, beta2=1.0, eps_low=0.2, eps_high=0.2, dual_clip=10.0):
    """Eq. 8 and 10 of the paper, cell by cell."""
    delta = math.exp(log_delta)
    if a > 0 and delta > 1 + eps_high:
        weight = beta2 * (1 + eps_high)
        return -a * weight, -a * weight
    if a < 0 and delta < 1 - eps_low:
        weight = beta1 * (1 - eps_low)
        return -a * weight, -a * weight
    if a < 0 and dual_clip is not None and delta > dual_clip:
        return -a * dual_clip, 0.0
    return -a * delta, -a * delta


@pytest.mark.parametrize(
    "hyper", [{}, {"beta1": 0.75, "beta2": 0.6, "dual_clip": None}, {"beta1": 1.0, "eps_high": 0.28}]
)
def test_value_and_coefficient_in_every_region(hyper):
    assert_tokens(ce_gppo, oracle, **hyper)


@pytest.mark.parametrize("name", ["ce_gppo", "gppo"])
def test_the_numbers_in_the_yaml_are_those_of_the_oracle(name):
    assert_tokens(ce_gppo, oracle, **built(name).keywords)


def test_worked_numbers():
    gppo = built("gppo", eps_high=0.2)
    assert_f1(gppo, [-1.2, -1, -0.5, 1.5, 0.8], [-1.2, -1, -0.5, 1.5, 0.8], -0.08)
    assert_f1(built("ce_gppo", beta1=0.75), [-1.2, -1, -0.5, 1.5, 0.6], [-1.2, -1, -0.5, 1.5, 0.6], -0.12)


@pytest.mark.parametrize(
    ("edge", "outwards", "a", "beta"), [(math.log(0.8), -1e-9, -1.0, 0.5), (math.log(1.2), 1e-9, 1.0, 0.75)]
)
def test_on_the_bound_and_beyond_it(edge, outwards, a, beta):
    bound, _ = slope_at(ce_gppo, edge, a)
    banded = partial(
        ce_gppo, beta1=0.5, beta2=0.75, **({"eps_low": 1.0 - bound} if outwards < 0 else {"eps_high": bound - 1.0})
    )
    assert slope_at(banded, edge, a) == (bound, bound)
    assert slope_at(banded, edge + outwards, a)[1] == pytest.approx(beta * bound, rel=1e-15)


def test_on_the_dual_clip_and_beyond_it():
    bound, _ = slope_at(ce_gppo, math.log(5.0), -1.0)
    capped = partial(ce_gppo, dual_clip=bound)
    assert slope_at(capped, math.log(5.0), -1.0) == (bound, bound)
    assert slope_at(capped, math.log(5.0) + 1e-9, -1.0)[1] == 0.0


def test_gradients_are_preserved_however_far_the_ratio_has_gone():
    """Where the ratio itself is bounded (+-20 in the log) the preserved coefficient must not vanish."""
    for log_delta, a, slope in [(-80.0, -1.0, 0.4), (-25.0, -1.0, 0.4), (80.0, 1.0, -1.2), (25.0, 1.0, -1.2)]:
        assert float(value_and_slope(ce_gppo, tokens([log_delta], [a], [0.0]))[1]) == pytest.approx(slope)


@QUICK
@drawn(seed=SEEDS, low=EPS, high=EPS, dual=st.sampled_from([None, 1.95, 10.0]))
def test_betas_of_zero_have_ppos_gradient(seed, low, high, dual):
    given = batch(seed, spread=1.0)
    hyper = {"eps_low": low, "eps_high": high, "dual_clip": dual}
    _, ours = value_and_slope(partial(ce_gppo, beta1=0.0, beta2=0.0, **hyper), given)
    _, ppo = value_and_slope(partial(ppo_clip, **hyper), given)
    torch.testing.assert_close(ours, ppo, rtol=1e-12, atol=0)


@QUICK
@drawn(seed=SEEDS, low=EPS, high=EPS)
def test_betas_of_one_have_ppos_value_and_gppos_gradient(seed, low, high):
    """GPPO as Klear-Reasoner writes it (2508.07629, Eq. 11): PPO's min with gradient-carrying bounds."""
    given = batch(seed, spread=1.0)
    hyper = {"eps_low": low, "eps_high": high}
    value, slope = value_and_slope(partial(ce_gppo, beta1=1.0, beta2=1.0, dual_clip=None, **hyper), given)
    leaf = given["logps"].clone().requires_grad_()
    delta = (leaf - given["old_logps"]).exp()
    carrier = delta / delta.detach()
    bounded = torch.minimum(torch.maximum(delta, (1 - low) * carrier), (1 + high) * carrier)
    a = given["advantages"]
    reference = torch.where(delta * a <= bounded * a, delta, bounded) * -a
    (reference * given["mask"]).sum().backward()
    real = given["mask"] > 0
    torch.testing.assert_close(slope, leaf.grad, rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(value[real], reference.detach()[real], rtol=1e-12, atol=1e-15)
    ppo, _ = value_and_slope(partial(ppo_clip, **hyper), given)
    torch.testing.assert_close(value[real], ppo[real], rtol=1e-12, atol=1e-15)


@QUICK
@drawn(seed=SEEDS, beta1=st.floats(0, 2), beta2=st.floats(0, 2))
def test_preserved_gradients_are_bounded(seed, beta1, beta2):
    given = batch(seed, spread=2.0)
    loss = partial(ce_gppo, beta1=beta1, beta2=beta2)
    _, slope = value_and_slope(loss, given)
    found, a = call(loss, given).diagnostics, given["advantages"]
    size = torch.where(a == 0, 0.0, slope.abs() / a.abs())
    left, right = found["preserved_left"] > 0, found["preserved_right"] > 0
    torch.testing.assert_close(size[left], torch.full_like(size[left], beta1 * 0.8))
    torch.testing.assert_close(size[right], torch.full_like(size[right], beta2 * 1.2))
    assert torch.all(size[~left & ~right] <= 10.0 + 1e-12)  # the dual clip, or 1.2 for A > 0


def test_it_starts_as_the_policy_gradient():
    assert_policy_gradient_on_policy(ce_gppo)


def test_gppo_is_ce_gppo_with_both_betas_one():
    assert OmegaConf.create(built("gppo").keywords) == {
        "beta1": 1.0, "beta2": 1.0, "eps_low": 0.2, "eps_high": 0.28, "dual_clip": 10.0
    }  # fmt: skip
    assert built("gppo").func is built("ce_gppo").func
