"""Entropy-based advantage shaping: A + min(alpha H, |A| / kappa)."""

from __future__ import annotations

import pytest
import torch

from crucible.entropy.entropy_advantage import EntropyAdvantage
from crucible.errors import UserError
from tests.entropy.world import Batch, shaped


def oracle(batch, *, alpha, kappa):
    """One token after the other."""
    found = []
    for a_row, h_row, m_row in zip(
        batch.advantages.tolist(), batch.old_entropy.tolist(), batch.mask.tolist(), strict=True
    ):
        row = []
        for a, h, m in zip(a_row, h_row, m_row, strict=True):
            most = (a if a > 0 else -a) / kappa
            row.append((a + (alpha * h if alpha * h < most else most)) if m else 0.0)
        found.append(row)
    return found


@pytest.mark.parametrize(
    "options", [{"alpha": 0.4, "kappa": 2.0}, {"alpha": 5.0, "kappa": 1.1}, {"alpha": 0.0, "kappa": 2.0}]
)
def test_against_the_oracle(options):
    batch = Batch.random(rows=9)
    found = shaped(EntropyAdvantage(**options), batch).values
    wanted = torch.tensor(oracle(batch, **options), dtype=torch.float64)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("a", "h", "wanted"), [(1, 2, 1.5), (1, 0.5, 1.2), (-1, 2, -0.5), (-1, 0.5, -0.8), (0, 2, 0)])
def test_worked_example(a, h, wanted):
    batch = Batch.of([[float(a)]], [[-1.0]], old_entropy=[[float(h)]])
    assert shaped(EntropyAdvantage(), batch).values.item() == pytest.approx(wanted)


def test_the_sign_never_changes():
    batch = Batch.random(rows=50)
    found = shaped(EntropyAdvantage(alpha=100.0, kappa=1.001), batch).values
    assert torch.equal(found.sign(), batch.advantages.sign())


def test_a_kappa_that_could_turn_the_sign_is_refused():
    with pytest.raises(UserError, match=r"kappa is 1\.0|kappa above 1|above 1"):
        EntropyAdvantage(kappa=1.0)
