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
