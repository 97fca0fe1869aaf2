"""Masked importance sampling and IcePop against probabilities, one token at a time."""

from __future__ import annotations

import math

import pytest
import torch

from crucible.algorithms.corrections.mis import mis
from crucible.errors import UserError

OLD = torch.tensor([[0.75, 0.5, 0.25], [0.2, 0.9, 0.6]], dtype=torch.float64)
SAMPLE = torch.tensor([[0.25, 0.5, 0.5], [0.8, 0.3, 0.1]], dtype=torch.float64)
MASK = torch.tensor([[1.0, 1.0, 1.0], [1.0, 1.0, 0.0]], dtype=torch.float64)


def oracle(old, sample, mask, low, high, level):
    """One row of probabilities."""
    ratios = [o / s for o, s, m in zip(old, sample, mask, strict=True) if m]
    of_row = {"sequence": math.prod(ratios), "geometric": math.prod(ratios) ** (1 / len(ratios))}
    found = [of_row.get(level, o / s) if m else 0.0 for o, s, m in zip(old, sample, mask, strict=True)]
    return [w if low <= w <= high else 0.0 for w in found]


@pytest.mark.parametrize(("low", "high"), [(0.0, 2.0), (0.4, 2.0), (0.8, 1.6), (0.0, 0.1)])
@pytest.mark.parametrize("level", ["token", "sequence", "geometric"])
def test_weights(level, low, high):
    found = mis(OLD.log(), SAMPLE.log(), MASK, low=low, high=high, level=level).weights
    rows = zip(OLD.tolist(), SAMPLE.tolist(), MASK.tolist(), strict=True)
    expected = torch.tensor([oracle(*row, low, high, level) for row in rows], dtype=torch.float64)
    torch.testing.assert_close(found, expected)


def test_the_worked_example():
    """Ratios 3, 1, 0.5 with the band 0.4 .. 2."""
    found = mis(OLD[:1].log(), SAMPLE[:1].log(), MASK[:1], low=0.4, high=2.0)
    torch.testing.assert_close(found.weights, torch.tensor([[0.0, 1.0, 0.5]], dtype=torch.float64))
    assert found.diagnostics["zeroed"].tolist() == [[1.0, 0.0, 0.0]]


def test_a_bound_belongs_to_the_band():
    zero = torch.zeros(1, 1)
    assert mis(zero, zero, torch.ones(1, 1), low=1.0, high=1.0).weights.item() == 1.0


def test_an_impossible_band_is_refused():
    with pytest.raises(UserError, match=r"the band is 2.0 .. 1.0"):
        mis(OLD, SAMPLE, MASK, low=2.0, high=1.0)
