"""What the losses must be to each other."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from loss_cases import ALL_LOSSES, random_batch, value_and_slope

from crucible.algorithms.losses.ce_gppo import ce_gppo
from crucible.algorithms.losses.cispo import cispo
from crucible.algorithms.losses.gspo import gspo
from crucible.algorithms.losses.ppo_clip import ppo_clip
from crucible.algorithms.losses.reinforce import reinforce
from crucible.errors import UserError

QUICK = settings(max_examples=40, deadline=None)
SEEDS = st.integers(0, 10_000)
EPS = st.floats(0.01, 0.9)


@QUICK
@given(seed=SEEDS, low=EPS, high=EPS, dual=st.sampled_from([None, 1.5, 10.0]))
def test_betas_of_zero_have_ppos_gradient(seed, low, high, dual):
    batch = random_batch(seed, spread=1.0)
    hyper = {"eps_low": low, "eps_high": high, "dual_clip": dual}
    _, ours = value_and_slope(partial(ce_gppo, beta1=0.0, beta2=0.0, **hyper), *batch)
    _, ppo = value_and_slope(partial(ppo_clip, **hyper), *batch)
    torch.testing.assert_close(ours, ppo, rtol=1e-12, atol=0)


@QUICK
@given(seed=SEEDS, low=EPS, high=EPS)
def test_betas_of_one_have_ppos_value_and_gppos_gradient(seed, low, high):
    """GPPO as Klear-Reasoner writes it (2508.07629, Eq. 11): PPO's min with gradient-carrying bounds."""

    def gppo(logps, old_logps, advantages, mask):
        delta = (logps - old_logps).exp()
        carrier = delta / delta.detach()
        bounded = torch.minimum(torch.maximum(delta, (1 - low) * carrier), (1 + high) * carrier)
        return torch.where(delta * advantages <= bounded * advantages, delta, bounded) * -advantages

    logps, old, advantages, mask = random_batch(seed, spread=1.0)
    hyper = {"eps_low": low, "eps_high": high}
    value, slope = value_and_slope(
        partial(ce_gppo, beta1=1.0, beta2=1.0, dual_clip=None, **hyper), logps, old, advantages, mask
    )
    leaf = logps.clone().requires_grad_()
    reference = gppo(leaf, old, advantages, mask)
    (reference * mask).sum().backward()
    real = mask > 0
    torch.testing.assert_close(slope, leaf.grad, rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(value[real], reference.detach()[real], rtol=1e-12, atol=1e-15)
    ppo, _ = value_and_slope(partial(ppo_clip, **hyper), logps, old, advantages, mask)
    torch.testing.assert_close(value[real], ppo[real], rtol=1e-12, atol=1e-15)


@QUICK
@given(seed=SEEDS, beta1=st.floats(0, 2), beta2=st.floats(0, 2))
def test_preserved_gradients_are_bounded(seed, beta1, beta2):
    logps, old, advantages, mask = random_batch(seed, spread=2.0)
    loss = partial(ce_gppo, beta1=beta1, beta2=beta2)
    _, slope = value_and_slope(loss, logps, old, advantages, mask)
    found = loss(logps, old, advantages, mask).diagnostics
    size = torch.where(advantages == 0, 0.0, slope.abs() / advantages.abs())
    left, right = found["preserved_left"] > 0, found["preserved_right"] > 0
    torch.testing.assert_close(size[left], torch.full_like(size[left], beta1 * 0.8))
    torch.testing.assert_close(size[right], torch.full_like(size[right], beta2 * 1.2))
    assert torch.all(size[~left & ~right] <= 10.0 + 1e-12)  # the dual clip, or 1.2 for A > 0


@pytest.mark.parametrize("name", ALL_LOSSES)
def test_all_gradients_coincide_on_policy(name):
    _, old, advantages, mask = random_batch(3)
    _, slope = value_and_slope(ALL_LOSSES[name], old, old, advantages, mask)
    torch.testing.assert_close(slope, -advantages * mask, rtol=1e-12, atol=0)


def test_gspo_of_one_token_is_ppo():
    logps, old, advantages, mask = random_batch(5, width=1)
    hyper = {"eps_low": 0.1, "eps_high": 0.3}
    for found, expected in zip(
        value_and_slope(partial(gspo, **hyper), logps, old, advantages, mask),
        value_and_slope(partial(ppo_clip, **hyper), logps, old, advantages, mask),
        strict=True,
    ):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)


def test_cispo_without_bounds_weighs_by_the_ratio():
    logps, old, advantages, mask = random_batch(7)
    _, slope = value_and_slope(partial(cispo, eps_low=None, eps_high=1e9), logps, old, advantages, mask)
    torch.testing.assert_close(slope, -advantages * (logps - old).exp() * mask, rtol=1e-12, atol=0)


def test_old_log_probs_get_no_gradient():
    logps, old, advantages, mask = random_batch(8)
    for loss in ALL_LOSSES.values():
        frozen = old.clone().requires_grad_()
        loss(logps.clone().requires_grad_(), frozen, advantages, mask).per_token.sum().backward()
        assert frozen.grad is None


def test_reinforce_has_no_hyper_parameters():
    with pytest.raises(TypeError):
        reinforce(*random_batch(1), eps_low=0.2)


@pytest.mark.parametrize(
    ("loss", "hyper", "word"),
    [
        (ppo_clip, {"eps_low": 1.5}, "eps_low"),
        (ce_gppo, {"eps_high": -0.1}, "eps_high"),
        (ppo_clip, {"dual_clip": 1.0}, "dual_clip"),
        (cispo, {"eps_low": -0.2}, "eps_low"),
        (gspo, {"eps_high": -1e-4}, "eps_high"),
    ],
)
def test_bounds_that_describe_no_clip_are_refused(loss, hyper, word):
    with pytest.raises(UserError, match=f"{loss.__name__}: {word} is"):
        loss(*random_batch(1), **hyper)
