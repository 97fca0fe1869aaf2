"""Aggregations beside their oracles on the same losses: what the test of each has in common."""

from __future__ import annotations

import pytest
import torch

from crucible.types import Totals

LIMIT = 3  # completion tokens at most
WITH_AN_EMPTY_ROW = (
    [[0.3, -1.2, 0.9], [5.0, 5.0, 5.0], [2.0, 5.0, 5.0], [0.1, 0.2, 5.0]],
    [[1, 1, 1], [0, 0, 0], [1, 0, 0], [1, 1, 0]],
)
CATALOGUE = ([[-1.2, -1.0, -0.5], [1.5, 0.8, 9.0]], [[1, 1, 1], [1, 1, 0]])  # the PPO losses of its fixture
ONE_TOKEN = ([[0.7]], [[1]])


def both(aggregation, oracle, values, mask):
    """What the aggregation gives and what its oracle says, who sees the losses of the counted tokens of each row."""
    values, mask = torch.tensor(values, dtype=torch.float64), torch.tensor(mask, dtype=torch.float64)
    rows = [
        [v for v, m in zip(vs, ms, strict=True) if m] for vs, ms in zip(values.tolist(), mask.tolist(), strict=True)
    ]
    return float(aggregation(values, mask, Totals(float(mask.sum()), float(len(mask)), LIMIT))), oracle(rows)


def check(aggregation, oracle, worked):
    """On rows of which one is empty, on the worked numbers, and on a single token."""
    found, expected = both(aggregation, oracle, *WITH_AN_EMPTY_ROW)
    assert found == pytest.approx(expected, rel=1e-12)
    found, expected = both(aggregation, oracle, *CATALOGUE)
    assert found == pytest.approx(worked, abs=1e-6)
    assert expected == pytest.approx(worked, abs=1e-6)
    found, expected = both(aggregation, oracle, *ONE_TOKEN)
    assert found == pytest.approx(expected)
