"""Perplexity-based advantage shaping."""

from __future__ import annotations

import statistics

import pytest
import torch

from crucible.entropy.perplexity_advantage import PerplexityAdvantage
from crucible.errors import UserError
from tests.entropy.world import Batch, shaped


def oracle(batch, *, alpha, over):
    """Factor of each row."""
    log_ppl = {}
    for i, (row, mask) in enumerate(zip(batch.old_logps.tolist(), batch.mask.tolist(), strict=True)):
        if sum(mask):
            log_ppl[i] = -statistics.fmean(lp for lp, m in zip(row, mask, strict=True) if m)
    found = []
    for i, own in enumerate(batch.group.tolist()):
        peers = [v for j, v in log_ppl.items() if over == "batch" or batch.group[j] == own]
        spread = statistics.pstdev(peers) if peers else 0.0
        w = (log_ppl[i] - statistics.fmean(peers)) / spread if i in log_ppl and spread > 0 else 0.0
        found.append(max(1.0 - alpha * w, 0.0))
    return found


@pytest.mark.parametrize("over", ["group", "batch"])
@pytest.mark.parametrize("alpha", [0.01, 0.5, 3.0])
def test_against_the_oracle(alpha, over):
    batch = Batch.random(rows=9)
    batch.mask[4], batch.advantages[4] = 0.0, 0.0
    wanted = batch.advantages * torch.tensor(oracle(batch, alpha=alpha, over=over), dtype=torch.float64)[:, None]
    found = shaped(PerplexityAdvantage(alpha=alpha, over=over), batch).values
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-12)


def test_worked_example():
    """log PPL .5 1 1.5, alpha .01: factors 1.012247 1 .987753."""
    batch = Batch.of([[1.0, 1.0]] * 3, [[-0.4, -0.6], [-0.9, -1.1], [-1.5, -1.5]])
    found = shaped(PerplexityAdvantage(), batch).values[:, 0]
    assert found.tolist() == pytest.approx([1.012247, 1.0, 0.987753], abs=1e-6)


def test_equal_perplexities_change_nothing():
    batch = Batch.of([[1.0], [-2.0], [0.5]], [[-0.7]] * 3)
    assert torch.equal(shaped(PerplexityAdvantage(alpha=5.0), batch).values, batch.advantages)


def test_the_sign_never_changes():
    batch = Batch.random(rows=12)
    found = shaped(PerplexityAdvantage(alpha=10.0, over="batch"), batch).values
    assert bool((found * batch.advantages >= 0).all())


def test_an_unknown_scope_is_refused():
    with pytest.raises(UserError, match="give group or batch"):
        PerplexityAdvantage(over="prompt")
