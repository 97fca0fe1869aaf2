"""Mean over completions of their token means."""

from __future__ import annotations

import pytest
import torch

from crucible.algorithms.aggregation.seq_mean_token_mean import seq_mean_token_mean
from crucible.types import Totals

LIMIT = 3


def oracle(rows):
    """`rows`: the losses of the counted tokens of each row."""
    return sum(sum(row) / len(row) for row in rows if row) / len(rows)


def both(values, mask):
    values, mask = torch.tensor(values, dtype=torch.float64), torch.tensor(mask, dtype=torch.float64)
    rows = [
        [v for v, m in zip(vs, ms, strict=True) if m] for vs, ms in zip(values.tolist(), mask.tolist(), strict=True)
    ]
    return float(seq_mean_token_mean(values, mask, Totals(float(mask.sum()), float(len(mask)), LIMIT))), oracle(rows)


def test_formula_with_an_empty_row():
    values = [[0.3, -1.2, 0.9], [5.0, 5.0, 5.0], [2.0, 5.0, 5.0], [0.1, 0.2, 5.0]]
    found, expected = both(values, [[1, 1, 1], [0, 0, 0], [1, 0, 0], [1, 1, 0]])
    assert found == pytest.approx(expected, rel=1e-12)


def test_worked_numbers():
    """The PPO losses of the catalogue's fixture."""
    found, expected = both([[-1.2, -1.0, -0.5], [1.5, 0.8, 9.0]], [[1, 1, 1], [1, 1, 0]])
    assert found == pytest.approx(0.125, abs=1e-6)
    assert expected == pytest.approx(0.125, abs=1e-6)


def test_one_token():
    found, expected = both([[0.7]], [[1]])
    assert found == pytest.approx(expected)
