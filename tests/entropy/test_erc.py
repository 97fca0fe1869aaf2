"""ERC: the band around the old entropy, and what it does to a gradient."""

from __future__ import annotations

import pytest
import torch

from crucible.algorithms.losses.ppo_clip import ppo_clip
from crucible.entropy.erc import EntropyRatioClipping
from crucible.errors import UserError
from tests.entropy.world import Batch, step


def oracle(batch, *, low, high):
    """Weights, one token after the other."""
    found = []
    for h_row, old_row, m_row in zip(
        batch.entropy.tolist(), batch.old_entropy.tolist(), batch.mask.tolist(), strict=True
    ):
        row = []
        for h, old, m in zip(h_row, old_row, m_row, strict=True):
            rho = (h + 1e-8) / (old + 1e-8)
            row.append(1.0 if m and rho > low and rho < high else 0.0)
        found.append(row)
    return found


@pytest.mark.parametrize("options", [{"low": 0.95, "high": 1.05}, {"low": 0.8, "high": 1.2}, {"low": 0.0, "high": 1.1}])
def test_against_the_oracle(options):
    batch = Batch.random(rows=10)
    assert step(EntropyRatioClipping(**options), batch).weights.tolist() == oracle(batch, **options)


def test_worked_example():
    batch = Batch.of([[1.0] * 4], [[-1.0] * 4], entropy=[[0.5, 0.52, 0.6, 0.0]], old_entropy=[[0.5, 0.5, 0.5, 0.0]])
    assert step(EntropyRatioClipping(), batch).weights.tolist() == [[1.0, 1.0, 0.0, 1.0]]


def test_the_coefficient_on_grad_log_pi_is_that_of_the_loss_or_zero():
    batch = Batch.random(rows=10)
    weights = step(EntropyRatioClipping(), batch).weights
    logps = batch.logps.clone().requires_grad_()
    (weights * ppo_clip(logps, batch.old_logps, batch.advantages, batch.mask).per_token).sum().backward()
    plain = batch.logps.clone().requires_grad_()
    ppo_clip(plain, batch.old_logps, batch.advantages, batch.mask).per_token.sum().backward()
    assert torch.equal(logps.grad, torch.where(weights > 0, plain.grad, 0.0))


def test_an_unmoved_policy_keeps_every_token():
    batch = Batch.random()
    batch.entropy = batch.old_entropy
    assert torch.equal(step(EntropyRatioClipping(), batch).weights, batch.mask)


def test_a_band_that_excludes_an_unmoved_token_is_refused():
    with pytest.raises(UserError, match=r"low is 1\.1"):
        EntropyRatioClipping(low=1.1, high=1.2)
