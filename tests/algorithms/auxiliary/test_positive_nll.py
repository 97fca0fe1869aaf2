"""The positive-sample likelihood term."""

from __future__ import annotations

import pytest
import torch

from crucible.algorithms.auxiliary.positive_nll import PositiveNLL
from crucible.types import Scores

MASK = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [1.0, 0.0, 0.0], [1.0, 1.0, 0.0]])
SUCCESS = torch.tensor([1.0, 0.0, 1.0, 1.0])


def test_selects_the_tokens_of_correct_rows_that_have_a_reward():
    scores = Scores(torch.tensor([-1.0, 1.0, 0.0, 1.0]), valid=torch.tensor([True, True, True, False]))
    weights = PositiveNLL().select(scores, SUCCESS, MASK)
    assert weights.tolist() == [[1, 1, 0], [0, 0, 0], [1, 0, 0], [0, 0, 0]]


def test_correct_by_reward_does_not_look_at_the_truth():
    scores = Scores(torch.tensor([0.2, 1.0, 0.9, float("nan")]), valid=torch.tensor([True, True, True, False]))
    weights = PositiveNLL(correct_reward=0.9).select(scores, SUCCESS, MASK)
    assert weights.tolist() == [[0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 0, 0]]


def oracle(logps, counted):
    """Mean of -log pi over the tokens of right rows, and its slope on each."""
    n = sum(len(row) for row in counted)
    value = -sum(logps[i][t] for i, row in enumerate(counted) for t in row) / n
    return value, [[-1 / n if t in counted[i] else 0.0 for t in range(len(logps[i]))] for i in range(len(logps))]


@pytest.mark.parametrize("seed", range(4))
def test_against_loops(seed):
    logps = -torch.rand(4, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    part, leaf = PositiveNLL(coefficient=1.0), logps.clone().requires_grad_()
    weights = part.select(Scores(torch.zeros(4)), SUCCESS, MASK)
    value = (weights * part.per_token(leaf, torch.zeros_like(leaf))).sum() / weights.sum()
    value.backward()
    expected, slope = oracle(logps.tolist(), [[0, 1], [], [0], [0, 1]])
    assert float(value.detach()) == pytest.approx(expected)
    torch.testing.assert_close(leaf.grad, torch.tensor(slope, dtype=torch.float64))


def test_the_term_is_the_mean_nll_of_correct_tokens():
    logps = -torch.arange(12, dtype=torch.float64).reshape(4, 3)
    part = PositiveNLL(coefficient=0.1)
    leaf = logps.clone().requires_grad_()
    weights = part.select(Scores(torch.zeros(4)), SUCCESS, MASK)
    term = part.coefficient * (weights * part.per_token(leaf, torch.zeros_like(leaf))).sum() / weights.sum()
    assert float(term.detach()) == pytest.approx(0.1 * (0 + 1 + 6 + 9 + 10) / 5)
    term.backward()
    torch.testing.assert_close(leaf.grad, -0.1 / 5 * weights.double())


def test_no_correct_row_selects_nothing():
    assert PositiveNLL().select(Scores(torch.ones(4)), torch.zeros(4), MASK).sum() == 0
