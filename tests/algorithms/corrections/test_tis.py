"""Truncated importance sampling against probabilities, one token at a time."""

from __future__ import annotations

import math

import pytest
import torch

from crucible.algorithms.corrections.tis import tis
from crucible.errors import UserError

OLD = torch.tensor([[0.75, 0.5, 0.25], [0.2, 0.9, 0.6]], dtype=torch.float64)
SAMPLE = torch.tensor([[0.25, 0.5, 0.5], [0.8, 0.3, 0.1]], dtype=torch.float64)
MASK = torch.tensor([[1.0, 1.0, 1.0], [1.0, 1.0, 0.0]], dtype=torch.float64)


def oracle(old, sample, mask, cap, level):
    """One row of probabilities."""
    ratios = [o / s for o, s, m in zip(old, sample, mask, strict=True) if m]
    of_row = {"sequence": math.prod(ratios), "geometric": math.prod(ratios) ** (1 / len(ratios))}
    return [min(of_row.get(level, o / s), cap) if m else 0.0 for o, s, m in zip(old, sample, mask, strict=True)]


@pytest.mark.parametrize("cap", [0.7, 2.0, 100.0])
@pytest.mark.parametrize("level", ["token", "sequence", "geometric"])
def test_weights(level, cap):
    found = tis(OLD.log(), SAMPLE.log(), MASK, cap=cap, level=level).weights
    rows = zip(OLD.tolist(), SAMPLE.tolist(), MASK.tolist(), strict=True)
    expected = torch.tensor([oracle(*row, cap, level) for row in rows], dtype=torch.float64)
    torch.testing.assert_close(found, expected)


def test_the_worked_example():
    row = OLD[:1].log(), SAMPLE[:1].log(), MASK[:1]
    torch.testing.assert_close(tis(*row).weights, torch.tensor([[2.0, 1.0, 0.5]], dtype=torch.float64))
    assert tis(*row, level="sequence").weights.unique().item() == pytest.approx(1.5)
    assert tis(*row, level="geometric").weights[0, 0].item() == pytest.approx(1.144714, abs=1e-6)


def test_diagnostics_and_refusals():
    found = tis(OLD.log(), SAMPLE.log(), MASK)
    assert found.diagnostics["changed"][0].tolist() == [1.0, 0.0, 0.0]
    assert (found.diagnostics["zeroed"] * MASK).sum() == 0
    with pytest.raises(UserError, match="cap is 0"):
        tis(OLD, SAMPLE, MASK, cap=0)
    with pytest.raises(UserError, match=r'level is "seqence".*did you mean "sequence"'):
        tis(OLD, SAMPLE, MASK, level="seqence")
