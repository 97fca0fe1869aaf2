from __future__ import annotations

import pytest
import torch

from crucible.errors import UserError
from crucible.rewards.l1 import L1
from crucible.types import Completion, Scores
from tests.rewards.cases import prompt, scored


class Right:
    """What each row is worth; None: no verdict."""

    needs = ("answer",)

    def __init__(self, *values):
        self.values = values

    def __call__(self, prompts, completions, context):
        known = torch.tensor([value is not None for value in self.values])
        return Scores(torch.tensor([float(value or 0.0) for value in self.values]), valid=known)


ROWS = [Completion("", n) for n in (100, 150, 80, 100, 400)]
PROMPTS = [prompt(0, answer="1")] * 5


def test_exact_by_hand():
    scores = scored(L1(right=Right(1, 1, 1, 0, None), target=100, alpha=0.01), PROMPTS, ROWS)
    assert scores.total.tolist() == pytest.approx([1.0, 0.5, 0.8, 0.0, 0.0])
    assert scores.valid.tolist() == [True, True, True, True, False]
    assert torch.isnan(scores.components["right"]).tolist() == [False] * 4 + [True]


def test_max_by_hand_and_clipped():
    right = Right(1, 1, 1, 0, 1)
    scores = scored(L1(right=right, mode="max", target=100, alpha=0.01, delta=0.5), PROMPTS, ROWS)
    assert scores.total.tolist() == pytest.approx([0.5, 0.0, 0.7, 0.0, 0.0])
    generous = scored(L1(right=right, mode="max", target=1000, alpha=0.01), PROMPTS, ROWS)
    assert generous.total.tolist() == [1.0, 1.0, 1.0, 0.0, 1.0]


def test_a_prompt_may_have_its_own_target():
    reward = L1(right=Right(1, 1), target=5, alpha=0.01, reference="tokens")
    assert reward.needs == ("answer", "tokens")
    rows = [prompt(0, answer="1", tokens=100), prompt(1, answer="1", tokens="50")]
    assert scored(reward, rows, [Completion("", 100), Completion("", 60)]).total.tolist() == pytest.approx([1.0, 0.9])


@pytest.mark.parametrize("wrong", [{"mode": "least"}, {"target": 0}, {"alpha": 0.0}])
def test_options_that_make_no_sense(wrong):
    with pytest.raises(UserError, match=f"reward.{next(iter(wrong))}="):
        L1(right=Right(1), **wrong)
