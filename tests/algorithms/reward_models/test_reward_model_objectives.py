"""Objectives of scalar reward models against closed forms for value and derivatives, and worked numbers."""

from __future__ import annotations

import math

import pytest
import torch

from crucible.algorithms.reward_models.bradley_terry import bradley_terry
from crucible.algorithms.reward_models.regression import regression
from crucible.errors import UserError


def s(x):
    return 1.0 / (1.0 + math.exp(-x)) if x > 0 else math.exp(x) / (1.0 + math.exp(x))


def nls(x):
    return math.log1p(math.exp(-x)) if x > 0 else -x + math.log1p(math.exp(x))


def oracle(c, r, m, form, centre):
    """(value, derivative in r_c, derivative in r_r)."""
    shift, weight = (m if form == "margin" else 0.0), (m if form == "scaled" else 1.0)
    slope, pull = weight * (s(c - r - shift) - 1), 2 * (centre or 0.0) * (c + r)
    return weight * nls(c - r - shift) + (centre or 0.0) * (c + r) ** 2, slope + pull, -slope + pull


def tensors(*columns):
    return [torch.tensor(column, dtype=torch.float64) for column in columns]


@pytest.mark.parametrize("form", ["plain", "scaled", "margin"])
@pytest.mark.parametrize("centre", [None, 0.01, 0.3])
def test_value_and_derivatives(form, centre):
    draw = torch.Generator().manual_seed(0)
    chosen, rejected = 4 * torch.randn(2, 11, generator=draw, dtype=torch.float64)
    margins = 3 * torch.rand(11, generator=draw, dtype=torch.float64)
    chosen.requires_grad_()
    rejected.requires_grad_()
    found = bradley_terry(chosen, rejected, margins, form=form, centre=centre)
    found.per_item.sum().backward()
    expected = [
        oracle(*row, form, centre) for row in zip(chosen.tolist(), rejected.tolist(), margins.tolist(), strict=True)
    ]
    for column, values in enumerate((found.per_item.detach(), chosen.grad, rejected.grad)):
        assert values.tolist() == pytest.approx([row[column] for row in expected], abs=1e-12)
    assert torch.equal(found.diagnostics["chosen_reward"], chosen.detach())
    assert not found.diagnostics["rejected_reward"].requires_grad


@pytest.mark.parametrize(
    ("pair", "options", "expected"),
    [
        ((1.0, 0.0), {}, 0.313262),
        ((1.0, 0.0), {"form": "margin"}, 2.126928),
        ((1.0, 0.0), {"form": "scaled"}, 0.939785),
        ((2.0, 1.0), {"centre": 0.01}, 0.403262),
    ],
)
def test_the_worked_numbers(pair, options, expected):
    chosen, rejected, margins = tensors([pair[0]], [pair[1]], [3.0])
    assert bradley_terry(chosen, rejected, margins, **options).per_item.item() == pytest.approx(expected, abs=5e-7)


def test_very_wrong_pairs_still_have_a_whole_gradient():
    """log of a sigmoid plus 1e-5 would have none."""
    chosen, rejected = tensors([-60.0], [60.0])
    chosen.requires_grad_()
    found = bradley_terry(chosen, rejected)
    found.per_item.sum().backward()
    assert found.per_item.item() == pytest.approx(120.0)
    assert chosen.grad.item() == pytest.approx(-1.0)


def test_a_tie_has_no_weight_in_the_scaled_form():
    chosen, rejected, margins = tensors([0.3], [1.0], [0.0])
    chosen.requires_grad_()
    bradley_terry(chosen, rejected, margins, form="scaled").per_item.sum().backward()
    assert chosen.grad.item() == 0.0


def test_without_centring_a_shift_of_both_scores_changes_nothing_and_each_pair_stands_alone():
    chosen, rejected = torch.randn(2, 7, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    whole = bradley_terry(chosen, rejected).per_item
    torch.testing.assert_close(bradley_terry(chosen + 5, rejected + 5).per_item, whole, rtol=1e-12, atol=1e-12)
    alone = torch.cat([bradley_terry(chosen[i : i + 1], rejected[i : i + 1]).per_item for i in range(7)])
    assert torch.equal(alone, whole)
    assert not torch.allclose(bradley_terry(chosen + 5, rejected + 5, centre=0.1).per_item, whole)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"form": "scald"}, r'did you mean "scaled"'),
        ({"form": "scaled"}, "needs the margin of every pair"),
        ({"form": "margin"}, "needs the margin of every pair"),
        ({"centre": -1.0}, "at least 0"),
        ({"centre": math.nan}, "at least 0"),
    ],
)
def test_what_makes_no_sense_is_one_line(options, message):
    with pytest.raises(UserError, match=message):
        bradley_terry(*tensors([1.0], [0.0]), **options)


def oracle_regression(scores, targets, counted):
    """(mean over what is counted, derivative of it in each score)."""
    n = sum(map(sum, counted))
    rows = list(zip(scores, targets, counted, strict=True))
    value = sum((r - t) ** 2 for row in rows for r, t, c in zip(*row, strict=True) if c) / n
    return value, [[2 * (r - t) / n if c else 0.0 for r, t, c in zip(*row, strict=True)] for row in rows]


def test_regression_leaves_masked_attributes_out_of_value_and_gradient():
    draw = torch.Generator().manual_seed(3)
    scores, targets = torch.randn(2, 5, 3, generator=draw, dtype=torch.float64)
    counted = torch.rand(5, 3, generator=draw) < 0.6
    counted[0] = False  # an answer without any attribute
    targets[~counted] = math.nan
    scores.requires_grad_()
    loss = regression(scores, targets, counted).sum() / counted.sum()
    loss.backward()
    value, slopes = oracle_regression(scores.tolist(), targets.tolist(), counted.tolist())
    assert loss.item() == pytest.approx(value, abs=1e-12)
    torch.testing.assert_close(scores.grad, torch.tensor(slopes, dtype=torch.float64), rtol=1e-12, atol=1e-12)
    assert regression(*tensors([[1.0, 2.0]], [[3.0, 2.5]])).tolist() == [[4.0, 0.25]]
