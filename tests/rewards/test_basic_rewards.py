from __future__ import annotations

import pytest
import torch

from crucible.errors import UserError
from crucible.rewards.base import RewardError, checked
from crucible.rewards.exact import Exact
from crucible.rewards.format import format
from crucible.rewards.length import length
from crucible.rewards.weighted import Weighted
from crucible.types import Completion, Prompt, Scores
from tests.rewards.cases import completions, scored


class Doubles:
    """A task whose right answer is twice the prompt."""

    name = "doubles"

    def correct(self, prompt, completion):
        return completion == str(2 * int(prompt.text))


PROMPTS = [Prompt(id=str(i), text=str(i)) for i in range(3)]


def test_exact_is_the_tasks_own_judgement():
    scores = scored(Exact(task=Doubles(), right=1.0, wrong=-1.0), PROMPTS, completions("0", "2", "5"))
    assert scores.total.tolist() == [1.0, 1.0, -1.0]
    assert scores.components["exact"].tolist() == scores.total.tolist()


@pytest.mark.parametrize(
    ("text", "reason", "value"),
    [
        ("7+8=15;15-6=9", "stop", 1.0),
        ("=9", "stop", 1.0),
        ("7+8=15;15-6=9", "length", 0.0),  # cut off: not of the asked-for shape, even if it looks so
        ("7+8=15;", "stop", 0.0),
        ("", "stop", 0.0),
    ],
)
def test_format(text, reason, value):
    assert scored(format(), PROMPTS[:1], completions(text, reason=reason)).total.tolist() == [value]


def test_format_refuses_a_broken_pattern():
    with pytest.raises(UserError, match=r"reward\.pattern"):
        format(pattern="(")


def test_length_on_the_worked_numbers_of_dapo():
    """max 20, buffer 4: lengths 16, 17, 18, 20, 21 give 0, -1/4, -1/2, -1, -1."""
    rows = [Completion("", n) for n in (16, 17, 18, 20, 21)]
    scores = scored(length(max_tokens=20, buffer_tokens=4), [PROMPTS[0]] * 5, rows)
    assert scores.total.tolist() == [0.0, -0.25, -0.5, -1.0, -1.0]


class Fixed:
    needs = ("answer",)

    def __init__(self, values, valid=None):
        self.values, self.valid = torch.tensor(values), valid

    def __call__(self, prompts, completions, context):
        return Scores(self.values, {"inner": self.values}, valid=self.valid)


def test_weighted_sum_and_its_components():
    reward = Weighted(parts={"a": Fixed([1.0, 2.0, 3.0]), "b": Fixed([10.0, 0.0, -10.0])}, weights={"a": 1, "b": 0.5})
    scores = scored(reward, PROMPTS, completions("", "", ""))
    assert scores.total.tolist() == [6.0, 2.0, -2.0]
    assert scores.components["b"].tolist() == [10.0, 0.0, -10.0]
    assert scores.components["b/inner"].tolist() == [10.0, 0.0, -10.0]
    assert reward.needs == ("answer",)


def test_weighted_row_is_valid_only_where_every_weighted_part_is():
    broken = Fixed([float("nan"), 1.0, 1.0], valid=torch.tensor([False, True, True]))
    scores = scored(
        Weighted(parts={"a": Fixed([1.0] * 3), "b": broken}, weights={"a": 1.0, "b": 1.0}),
        PROMPTS,
        completions("", "", ""),
    )
    assert scores.valid.tolist() == [False, True, True]
    assert scores.total.tolist() == [0.0, 2.0, 2.0]
    unweighted = scored(
        Weighted(parts={"a": Fixed([1.0] * 3), "b": broken}, weights={"a": 1.0, "b": 0.0}),
        PROMPTS,
        completions("", "", ""),
    )
    assert unweighted.valid is None


def test_weighted_refuses_weights_that_do_not_match_the_parts():
    with pytest.raises(UserError, match='did you mean "exact"'):
        Weighted(parts={"exact": Fixed([1.0])}, weights={"exakt": 1.0})
    with pytest.raises(UserError, match="no weight for part b"):
        Weighted(parts={"a": Fixed([1.0]), "b": Fixed([1.0])}, weights={"a": 1.0})


def test_a_reward_that_breaks_its_contract_stops_the_run():
    with pytest.raises(RewardError, match=r"shape \(2,\) for 3 completions"):
        checked("mine", Scores(torch.zeros(2)), 3)
    with pytest.raises(RewardError, match=r"1 of 2 values are NaN or infinite \(first at row 1\)"):
        checked("mine", Scores(torch.tensor([0.0, float("nan")])), 2)
    valid = torch.tensor([True, False])
    assert checked("mine", Scores(torch.tensor([0.0, float("nan")]), valid=valid), 2).valid is valid
