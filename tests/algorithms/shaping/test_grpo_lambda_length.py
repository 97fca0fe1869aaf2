"""GRPO-lambda's reward switch."""

from __future__ import annotations

from functools import partial
from math import ceil, exp
from statistics import mean, pstdev, stdev

import pytest
import torch
from advantage_cases import groups_of
from shaping_cases import agree, totals

from crucible.algorithms.shaping.grpo_lambda_length import grpo_lambda_length
from crucible.errors import UserError


def oracle(rows, fraction=0.2, alpha=0.6, spread=pstdev):
    prompts = groups_of(rows)
    share = [mean(rows[i].reward >= 1 for i in members) for members in prompts]
    best = sorted(range(len(prompts)), key=lambda k: -share[k])[: max(ceil(fraction * len(prompts)), 1)]
    found = [0.0] * len(rows)
    for k, members in enumerate(prompts):
        lengths = [rows[i].length for i in members if rows[i].reward >= 1]
        deviation = spread(lengths) if len(lengths) > 1 else 0.0
        for i in members:
            if rows[i].reward >= 1:
                z = (rows[i].length - mean(lengths)) / deviation if deviation else 0.0
                found[i] = 1 - alpha / (1 + exp(-z)) if k in best else 1.0
    return found


def test_against_loops():
    agree(grpo_lambda_length, oracle, seeds=10)
    options = {"fraction": 0.6, "alpha": 0.3}
    agree(partial(grpo_lambda_length, **options, std="unbiased"), partial(oracle, **options, spread=stdev))


def lengths(*given):
    return (torch.arange(max(given)) < torch.tensor(given).unsqueeze(-1)).double()


@pytest.mark.parametrize(
    ("std", "expected"), [("population", [0.886449, 0.75, 0.613551]), ("unbiased", [0.865529, 0.75, 0.634471])]
)
def test_worked_numbers(std, expected):
    part = partial(grpo_lambda_length, alpha=0.5, std=std)
    assert totals(part, [1, 1, 1], mask=lengths(100, 200, 300)) == pytest.approx(expected, abs=1e-6)


def test_only_the_prompts_done_best_are_paid_for_brevity():
    mask = lengths(1, 3, 1, 3, 2, 2)
    found = totals(grpo_lambda_length, [1, 1, 1, 0, 0, 0], [0, 0, 1, 1, 2, 2], mask=mask)
    assert found[0] > 1 - 0.3 > found[1]
    assert found[2:] == [1, 0, 0, 0]


def test_one_right_row_gets_half_the_penalty():
    assert totals(grpo_lambda_length, [1, 0], mask=lengths(4, 9)) == pytest.approx([0.7, 0.0])


def test_an_unknown_std_is_refused_with_the_nearest_name():
    with pytest.raises(UserError, match='did you mean "population"'):
        totals(partial(grpo_lambda_length, std="populaton"), [1])
