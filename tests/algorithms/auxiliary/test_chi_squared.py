"""The chi-squared occupancy term."""

from __future__ import annotations

from math import cosh, exp, log, sqrt

import pytest
import torch

from crucible.algorithms.auxiliary.chi_squared import ChiSquared
from crucible.types import Scores

MASK = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [1.0, 0.0, 0.0]], dtype=torch.float64)


def oracle(log_ratios, floor=1e-4):
    """sqrt(max(mean chi2, floor)) and its slope on the log-ratio of each row."""
    chi2 = sum((exp(x) - 1) + (exp(-x) - 1) for x in log_ratios) / len(log_ratios)
    slope = 0.0 if chi2 <= floor else 0.5 / sqrt(chi2) / len(log_ratios)
    return sqrt(max(chi2, floor)), [slope * (exp(x) - exp(-x)) for x in log_ratios]


def term(logps, reference, mask=MASK, start=None, valid=None):
    """The term divided by its coefficient, and its slope on every token, with the policy that starts at `start`."""
    part = ChiSquared(coefficient=1.0)
    leaf = logps.clone().requires_grad_()
    scores = Scores(torch.zeros(len(mask)), valid=valid)
    weights = part.select(scores, mask, logps if start is None else start, reference)
    value = (weights * part.per_token(leaf, reference, mask)).sum() / weights.sum()
    value.backward()
    return float(value.detach()), leaf.grad


@pytest.mark.parametrize("seed", range(5))
def test_against_loops_at_the_policy_that_starts_the_update(seed):
    draw = torch.Generator().manual_seed(seed)
    logps, reference = (-torch.rand(3, 3, generator=draw, dtype=torch.float64) * 3 for _ in range(2))
    value, slope = term(logps, reference)
    expected, rows = oracle(((logps - reference) * MASK).sum(-1).tolist())
    assert value == pytest.approx(expected)
    torch.testing.assert_close(slope, torch.tensor(rows, dtype=torch.float64).unsqueeze(-1) * MASK)


def test_worked_numbers():
    reference = torch.zeros(1, 1, dtype=torch.float64)
    one = torch.ones(1, 1, dtype=torch.float64)
    assert term(reference, reference, one)[0] == pytest.approx(0.01)
    assert term(reference, reference, one)[1].item() == 0.0
    assert 0.1 * term(one * log(2.0), reference, one)[0] == pytest.approx(0.070711, abs=1e-6)


def test_a_policy_that_has_moved_sees_the_line_through_the_start():
    reference = torch.zeros(1, 1, dtype=torch.float64)
    start, now = torch.full_like(reference, 0.5), torch.full_like(reference, 0.8)
    chi2 = [2 * cosh(x) - 2 for x in (0.5, 0.8)]
    value, _ = term(now, reference, torch.ones_like(reference), start=start)
    assert value == pytest.approx(sqrt(chi2[0]) + (chi2[1] - chi2[0]) / (2 * sqrt(chi2[0])))


def test_far_from_the_reference_it_goes_on_linearly():
    reference, one = torch.zeros(1, 1, dtype=torch.float64), torch.ones(1, 1, dtype=torch.float64)
    value, slope = term(one * -400.0, reference, one)
    chi2 = 2 * cosh(10.0) - 2 + (exp(10.0) - exp(-10.0)) * 390
    assert value == pytest.approx(sqrt(chi2))
    assert slope.item() == pytest.approx(-(exp(10.0) - exp(-10.0)) / (2 * sqrt(chi2)))


def test_rows_without_a_reward_do_not_count():
    draw = torch.Generator().manual_seed(9)
    logps, reference = (-torch.rand(3, 3, generator=draw, dtype=torch.float64) for _ in range(2))
    valid = torch.tensor([True, False, True])
    value, slope = term(logps, reference, valid=valid)
    assert value == pytest.approx(oracle(((logps - reference) * MASK).sum(-1)[valid].tolist())[0])
    assert torch.all(slope[1] == 0)
