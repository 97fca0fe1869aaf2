"""The unlikeliness reward."""

from __future__ import annotations

import pytest
import torch
from advantage_cases import groups_of, tokens
from shaping_cases import agree, check, totals

from crucible.algorithms.advantages.group_norm import group_norm
from crucible.algorithms.shaping.unlikeliness import unlikeliness


def oracle(rows):
    likelihood = [sum(row.old_logps) / row.length for row in rows]
    found = [0.0] * len(rows)
    for members in groups_of(rows):
        for i in members:
            rank = sum(likelihood[j] < likelihood[i] for j in members) / len(members)
            found[i] = rows[i].reward * (1 - 0.25 * rank)
    return found


def test_against_loops():
    agree(unlikeliness, oracle)


def test_worked_numbers():
    old = torch.tensor([[-1.0], [-3.0], [-2.0], [-0.5]], dtype=torch.float64)
    check(unlikeliness, [1, 1, 0, 1], [0.875, 1, 0, 0.8125], old_logps=old)
    shaped = totals(unlikeliness, [1, 1, 0, 1], old_logps=old)
    found = tokens(group_norm, shaped)[:, 0].tolist()
    assert found == pytest.approx([0.446772, 0.721709, -1.477785, 0.309304], abs=5e-6)


def test_equally_likely_rows_are_paid_alike():
    check(unlikeliness, [1, 1, 1], [1, 1, 1 - 0.25 * 2 / 3], old_logps=torch.tensor([[-2.0], [-2.0], [-1.0]]))
