"""A weighted sum: weights on a schedule, validity step by step, rewards token by token."""

from __future__ import annotations

import pytest
import torch

from crucible.errors import UserError
from crucible.rewards.schedule import Schedule
from crucible.rewards.weighted import Weighted
from crucible.types import Rollouts, Scores
from tests.rewards.parts import NONE, Fixed, of, rows, values


def test_a_scheduled_weight_moves_and_is_logged():
    falls = Schedule(start=0.5, end=0.0, over=10, steps=100)
    reward = Weighted(parts={"a": Fixed(1.0, 2.0), "b": Fixed(4.0, NONE)}, weights={"a": 1.0, "b": falls})
    first = of(reward, 2, step=1)
    assert values(first) == [3.0, None]
    assert first.components["weight/b"].tolist() == [0.5, 0.5]
    assert "weight/a" not in first.components
    assert values(of(reward, 2, step=6)) == [2.0, None]  # five steps done: half of 0.5
    gone = of(reward, 2, step=11)
    assert values(gone) == [1.0, 2.0], "a part of weight 0 does not make a row invalid"


def test_names_of_nested_parts_can_be_read():
    inner = Weighted(parts={"right": Fixed(1.0), "form": Fixed(0.5)}, weights={"right": 1.0, "form": 1.0})
    scores = of(Weighted(parts={"maths": inner}, weights={"maths": 2.0}), 1)
    assert {"maths", "maths/right", "maths/form"} <= set(scores.components)
    assert "maths/right/inner" in scores.outcomes
    assert scores.components["maths"].tolist() == [1.5]


class ByToken:
    """Pays 1, 2, ... on the counted tokens."""

    needs: tuple[str, ...] = ()

    def __call__(self, prompts, rows, context):
        paid = context.rollouts.mask.cumsum(-1) * context.rollouts.mask
        return Scores(paid.sum(-1), per_token=paid)


def test_rewards_token_by_token_are_added_and_the_others_are_paid_at_the_end():
    mask = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]])
    prompts, texts = rows(2)
    zeros = torch.zeros(2, dtype=torch.int64)
    rollouts = Rollouts(
        prompt_ids=zeros[:, None], prompt_mask=zeros[:, None] + 1, completion_ids=torch.zeros(2, 3, dtype=torch.int64),
        mask=mask, sampling_logps=mask * 0, group=torch.arange(2), policy_version=zeros, prompts=prompts,
        texts=[c.text for c in texts], finish_reason=["stop"] * 2,
    )  # fmt: skip
    reward = Weighted(parts={"steps": ByToken(), "whole": Fixed(10.0, NONE)}, weights={"steps": 2.0, "whole": 1.0})
    scores = of(reward, 2, rollouts=rollouts)
    assert scores.per_token is not None
    assert scores.per_token.tolist() == [[2.0, 14.0, 0.0], [0.0, 0.0, 0.0]]
    assert scores.per_token.sum(-1).tolist() == scores.total.tolist() == [16.0, 0.0]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"a": 1.0, "bb": 1.0}, r"reward\.weights\.bb: there is no such part"),
        ({"a": 1.0}, r"no weight for part b"),
        ({"a": 1.0, "b": float("nan")}, r"weights\.b=nan: must be finite"),
    ],
)
def test_weights_that_do_not_fit_are_refused(weights, message):
    with pytest.raises(UserError, match=message):
        Weighted(parts={"a": Fixed(1.0), "b": Fixed(1.0)}, weights=weights)
