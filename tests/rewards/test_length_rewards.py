"""Rewards that look at the length: worked numbers, groups, and rows without a verdict."""

from __future__ import annotations

import math

import pytest
import torch

from crucible.errors import UserError
from crucible.rewards.cosine_length import CosineLength
from crucible.rewards.kimi_length import KimiLength
from crucible.rewards.length import length
from crucible.rewards.target_length import target_length
from crucible.rewards.truncation import Truncation
from crucible.types import Completion, Prompt, Scores
from tests.rewards.cases import prompt, scored


class Given:
    """A verifier with given verdicts; None is no verdict."""

    needs = ("answer",)

    def __init__(self, *verdicts):
        self.verdicts = verdicts

    def __call__(self, prompts, rows, context):
        total = torch.tensor([float(v or 0) for v in self.verdicts])
        valid = torch.tensor([v is not None for v in self.verdicts])
        return Scores(total, {"given": total}, valid=None if valid.all() else valid)


def rows(*tokens, reason="stop"):
    return [Completion("", n, reason) for n in tokens]


@pytest.mark.parametrize(
    ("floor", "expected"),
    [(-1.0, [0.0, -0.5, -1.0, -1.0]), (None, [0.0, -0.5, -1.0, -1.5]), (-1.2, [0, -0.5, -1, -1.2])],
)
def test_soft_overlong_with_and_without_a_floor(floor, expected):
    reward = length(max_tokens=100, buffer_tokens=20, floor=floor)
    assert scored(reward, [prompt()] * 4, rows(80, 90, 100, 110)).total.tolist() == pytest.approx(expected)


def test_cosine_on_the_worked_numbers():
    """Right: 1 at no length, 0.75 half way, 0.5 at the limit and beyond; wrong: -1, -0.75, -0.5."""
    reward = CosineLength(correct=Given(1, 1, 1, 1, 0, 0, 0, None), max_tokens=100)
    scores = scored(reward, [prompt()] * 8, rows(0, 50, 100, 150, 0, 50, 100, 7))
    assert scores.total.tolist() == pytest.approx([1, 0.75, 0.5, 0.5, -1, -0.75, -0.5, 0], abs=1e-6)
    assert scores.valid.tolist() == [True] * 7 + [False]
    assert reward.needs == ("answer",)


def test_cosine_agrees_with_the_formula_as_trl_writes_it():
    verdicts = [1, 0] * 6
    tokens = [n for n in (0, 1, 33, 60, 99, 300) for _ in range(2)]
    expected = []
    for right, n in zip(verdicts, tokens, strict=True):
        low, high = (0.5, 1.0) if right else (-0.5, -1.0)
        expected.append(low + 0.5 * (high - low) * (1 + math.cos(min(n / 99, 1.0) * math.pi)))
    scores = scored(CosineLength(correct=Given(*verdicts), max_tokens=99), [prompt()] * 12, rows(*tokens))
    assert scores.total.tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [((1, 1, 1), [0.5, 0.0, -0.5]), ((0, 1, 0), [0.0, 0.0, -0.5]), ((0, 0, 0), [0.0, 0.0, -0.5])],
)
def test_kimi_on_the_worked_numbers(verdicts, expected):
    alone = KimiLength(correct=Given(*verdicts), score_weight=0.0)
    assert scored(alone, [prompt()] * 3, rows(100, 200, 300)).total.tolist() == expected
    both = KimiLength(correct=Given(*verdicts), length_weight=0.5)
    added = [v + 0.5 * e for v, e in zip(verdicts, expected, strict=True)]
    assert scored(both, [prompt()] * 3, rows(100, 200, 300)).total.tolist() == added


def test_kimi_compares_within_a_group_whatever_the_order_of_rows():
    prompts = [Prompt(id=i) for i in "abab"]
    alone = KimiLength(correct=Given(1, 1, 1, 1), score_weight=0.0)
    assert scored(alone, prompts, rows(10, 50, 20, 50)).total.tolist() == [0.5, 0.0, -0.5, 0.0]  # b: equally long


def test_kimi_leaves_out_rows_without_a_verdict():
    scores = scored(KimiLength(correct=Given(1, None, 1)), [prompt()] * 3, rows(10, 1000, 20))
    assert scores.total.tolist() == [1.5, 0.0, 0.5]
    assert scores.valid.tolist() == [True, False, True]
    assert math.isnan(scores.components["length"][1])


def test_target_length():
    tokens = rows(16, 8, 24, 0, 40)
    both = scored(target_length(target=16, scale=16.0), [prompt()] * 5, tokens).total.tolist()
    assert both == [1.0, 0.5, 0.5, 0.0, 0.0]  # never below 0
    up_to = scored(target_length(target=16, scale=16.0, up_to=True), [prompt()] * 5, tokens).total.tolist()
    assert up_to == [1.0, 1.0, 0.5, 1.0, 0.0]


def test_truncation_scales_what_was_cut_off():
    cut = [Completion("", 5, reason) for reason in ("stop", "length", "length")]
    scores = scored(Truncation(score=Given(1, 1, None), factor=0.25), [prompt()] * 3, cut)
    assert scores.total.tolist() == [1.0, 0.25, 0.0]
    assert scores.valid.tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: length(max_tokens=10, buffer_tokens=0), "buffer_tokens"),
        (lambda: length(max_tokens=10, buffer_tokens=5, floor=0.0), "floor"),
        (lambda: CosineLength(correct=Given(), max_tokens=0), "max_tokens"),
        (lambda: target_length(target=5, scale=0.0), "target"),
        (lambda: Truncation(score=Given(), factor=2.0), "factor"),
    ],
)
def test_senseless_options_are_refused(make, named):
    with pytest.raises(UserError, match=rf"reward\.{named}"):
        make()
