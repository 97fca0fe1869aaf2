"""Padding, row order, degenerate batches, extreme ratios, precision."""

from __future__ import annotations

import math

import pytest
import torch
from loss_cases import ALL_LOSSES, random_batch, value_and_slope

LOSSES = pytest.mark.parametrize("name", ALL_LOSSES)


@LOSSES
@pytest.mark.parametrize("garbage", [0.0, -1e9, float("-inf"), float("nan")])
def test_what_is_stored_on_padding_does_not_matter(name, garbage):
    logps, old, advantages, mask = random_batch(11)
    value, slope = value_and_slope(ALL_LOSSES[name], logps, old, advantages, mask)
    dirty_logps = torch.where(mask > 0, logps, garbage)
    dirty_value, dirty_slope = value_and_slope(ALL_LOSSES[name], dirty_logps, old, advantages, mask)
    real = mask > 0
    torch.testing.assert_close(dirty_value[real], value[real], rtol=0, atol=0)
    torch.testing.assert_close(dirty_slope[real], slope[real], rtol=0, atol=0)
    found = ALL_LOSSES[name](dirty_logps, old, advantages, mask).diagnostics
    assert all(torch.all(tensor[mask == 0] == 0) for tensor in found.values())


@LOSSES
def test_wider_padding_and_row_order_change_nothing(name):
    logps, old, advantages, mask = random_batch(12)
    value, slope = value_and_slope(ALL_LOSSES[name], logps, old, advantages, mask)
    order = torch.tensor([4, 0, 5, 2, 1, 3])
    wide = [torch.nn.functional.pad(x, (0, 3))[order] for x in (logps, old, advantages, mask)]
    other_value, other_slope = value_and_slope(ALL_LOSSES[name], *wide)
    real = mask[order] > 0
    torch.testing.assert_close(other_value[:, :-3][real], value[order][real])
    torch.testing.assert_close(other_slope[:, :-3], slope[order])
    assert torch.all(other_slope[:, -3:] == 0)


@LOSSES
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_extreme_ratios_stay_finite(name, dtype, sign):
    log_deltas = torch.tensor([[-80.0], [-20.0], [0.0], [20.0], [80.0]], dtype=dtype)
    old = torch.full_like(log_deltas, -90.0)
    mask = torch.ones_like(old)
    value, slope = value_and_slope(ALL_LOSSES[name], old + log_deltas, old, sign * mask, mask)
    found = ALL_LOSSES[name](old + log_deltas, old, sign * mask, mask).diagnostics
    assert value.isfinite().all()
    assert slope.isfinite().all()
    assert all(tensor.isfinite().all() for tensor in found.values())
    assert value.dtype == slope.dtype == dtype
    assert all(tensor.dtype == dtype for tensor in found.values())


def test_ce_gppo_preserves_gradients_however_far_the_ratio_has_gone():
    """Where the ratio itself is bounded (+-20 in the log) the preserved coefficient must not vanish."""
    logps = torch.tensor([[-80.0, -25.0], [80.0, 25.0]])
    advantages = torch.tensor([[-1.0, -1.0], [1.0, 1.0]])
    _, slope = value_and_slope(ALL_LOSSES["ce_gppo"], logps, torch.zeros(2, 2), advantages, torch.ones(2, 2))
    torch.testing.assert_close(slope, torch.tensor([[0.4, 0.4], [-1.2, -1.2]]))


@pytest.mark.parametrize("name", ["ppo_clip", "ce_gppo_no_dual"])
@pytest.mark.parametrize(("log_delta", "advantage"), [(25.0, -1.0), (-25.0, 1.0)])
def test_an_unclipped_ratio_is_bounded_with_no_gradient_beyond(name, log_delta, advantage):
    one = torch.ones(1, 1, dtype=torch.float64)
    value, slope = value_and_slope(ALL_LOSSES[name], one * log_delta, one * 0, one * advantage, one)
    assert float(value) == pytest.approx(-advantage * math.exp(math.copysign(20.0, log_delta)))
    assert float(slope) == 0.0


@LOSSES
def test_fully_masked_batch_is_zero(name):
    logps, old, advantages, mask = random_batch(13)
    _, slope = value_and_slope(ALL_LOSSES[name], logps, old, advantages, mask * 0)
    assert torch.all(slope == 0)


@LOSSES
def test_one_fully_masked_row_leaves_the_others_alone(name):
    logps, old, advantages, mask = random_batch(14)
    _, slope = value_and_slope(ALL_LOSSES[name], logps, old, advantages, mask)
    mask[2] = 0.0
    _, without = value_and_slope(ALL_LOSSES[name], logps, old, advantages, mask)
    rest = torch.arange(len(mask)) != 2
    torch.testing.assert_close(without[rest], slope[rest])
    assert torch.all(without[2] == 0)


@LOSSES
@pytest.mark.parametrize("sign", [-1.0, 0.0, 1.0])
def test_one_sign_of_advantage(name, sign):
    """All right, all wrong or nothing to tell: the push is one-sided, and absent where the advantage is 0."""
    logps, old, advantages, mask = random_batch(15)
    _, slope = value_and_slope(ALL_LOSSES[name], logps, old, sign * advantages.abs(), mask)
    assert torch.all(slope * sign <= 0)
    assert torch.all(slope == 0) == (sign == 0)


@LOSSES
def test_single_and_double_precision_agree(name):
    batch = random_batch(16)
    value, slope = value_and_slope(ALL_LOSSES[name], *batch)
    value32, slope32 = value_and_slope(ALL_LOSSES[name], *(tensor.float() for tensor in batch))
    torch.testing.assert_close(value32.double(), value, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(slope32.double(), slope, rtol=1e-5, atol=1e-5)
