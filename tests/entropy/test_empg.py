"""EMPG with a completion as one step."""

from __future__ import annotations

import math
import statistics

import pytest
import torch

from crucible.entropy.empg import EntropyModulated
from tests.entropy.world import Batch, shaped


def oracle(batch, *, k):
    """Advantage of each row that has tokens."""
    h = {}
    for i, (row, mask) in enumerate(zip(batch.old_entropy.tolist(), batch.mask.tolist(), strict=True)):
        if sum(mask):
            h[i] = statistics.fmean(x for x, m in zip(row, mask, strict=True) if m)
    low, high = min(h.values()), max(h.values())
    falling = {i: math.exp(-k * (x - low) / (high - low + 1e-8)) for i, x in h.items()}
    g = {i: x / statistics.fmean(falling.values()) for i, x in falling.items()}
    a = {i: batch.advantages[i, 0].item() * g[i] for i in h}
    return {i: x - statistics.fmean(a.values()) for i, x in a.items()}


@pytest.mark.parametrize("k", [0.0, 1.0, 4.0])
def test_against_the_oracle(k):
    batch = Batch.random(rows=9)
    batch.mask[4], batch.advantages[4] = 0.0, 0.0
    wanted = oracle(batch, k=k)
    found = shaped(EntropyModulated(k=k), batch).values
    for i, row in enumerate(batch.mask.tolist()):
        assert found[i].tolist() == pytest.approx([wanted[i] if m else 0.0 for m in row], rel=1e-9, abs=1e-12)


def test_worked_example():
    """H .2 .6 1.0: g = 1.519441 .921588 .558971. Without the bonus for a clear next step A g is centred as it is."""
    batch = Batch.of([[1.0]] * 3, [[-1.0]] * 3, old_entropy=[[0.2], [0.6], [1.0]])
    found = shaped(EntropyModulated(), batch).values[:, 0]
    g = torch.tensor([1.519441, 0.921588, 0.558971], dtype=torch.float64)
    torch.testing.assert_close(found, g - 1.0, atol=1e-6, rtol=0)


def test_rows_alike_are_only_centred():
    batch = Batch.of([[1.0], [-1.0], [3.0]], [[-1.0]] * 3, old_entropy=[[0.4]] * 3)
    assert shaped(EntropyModulated(), batch).values.flatten().tolist() == pytest.approx([0.0, -2.0, 2.0])


def test_the_mean_over_rows_is_zero():
    found = shaped(EntropyModulated(), Batch.random(rows=9)).values
    assert found[:, 0].mean().item() == pytest.approx(0.0, abs=1e-12)
