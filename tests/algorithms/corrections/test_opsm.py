"""Off-policy sequence masking against one row at a time."""

from __future__ import annotations

import math

import pytest
import torch

from crucible.algorithms.corrections.opsm import opsm
from crucible.errors import UserError


def oracle(now, sample, advantage, delta):
    """1.0 where the completion of these token probabilities is kept."""
    divergence = sum(math.log(s / p) for p, s in zip(now, sample, strict=True)) / len(now)
    return 0.0 if advantage < 0 and divergence > delta else 1.0


@pytest.mark.parametrize("delta", [0.0, 0.1, 0.5, 1.2])
@pytest.mark.parametrize("advantage", [-1.0, 0.0, 1.0])
def test_what_is_kept(advantage, delta):
    g = torch.Generator().manual_seed(3)
    now, sample = (0.05 + 0.9 * torch.rand(8, 4, generator=g, dtype=torch.float64) for _ in range(2))
    mask = torch.ones(8, 4, dtype=torch.float64)
    found = opsm(now.log(), sample.log(), advantage * mask, mask, delta=delta).weights
    kept = [oracle(p, s, advantage, delta) for p, s in zip(now.tolist(), sample.tolist(), strict=True)]
    assert found.tolist() == [[value] * 4 for value in kept]


def test_the_worked_example():
    sample, now = torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[0.1, 0.25]]).log()
    divergence = (sample - now).mean().item()
    assert divergence == pytest.approx(1.151293, abs=1e-6)
    mask = torch.ones(1, 2)
    assert opsm(now, sample, -mask, mask, delta=0.5).weights.tolist() == [[0.0, 0.0]]
    assert opsm(now, sample, mask, mask, delta=0.5).weights.tolist() == [[1.0, 1.0]]
    assert opsm(now, sample, -mask, mask, delta=1.2).weights.tolist() == [[1.0, 1.0]]


def test_padding_does_not_dilute_the_mean():
    sample, now = torch.tensor([[0.5, 0.5, 0.5]]).log(), torch.tensor([[0.1, 0.25, 0.5]]).log()
    mask = torch.tensor([[1.0, 1.0, 0.0]])
    assert opsm(now, sample, -mask, mask, delta=1.1).weights.tolist() == [[0.0, 0.0, 0.0]]


def test_a_negative_delta_is_refused():
    one = torch.ones(1, 1)
    with pytest.raises(UserError, match="delta is -1"):
        opsm(one, one, one, one, delta=-1)
