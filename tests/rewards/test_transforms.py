"""The nodes that change the numbers of one reward."""

from __future__ import annotations

import pytest
import torch

from crucible.errors import UserError
from crucible.rewards.clip import Clip
from crucible.rewards.normalised import Normalised
from crucible.rewards.threshold import Threshold
from crucible.types import Scores
from tests.rewards.parts import NONE, Fixed, of, values


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({"low": -1.0, "high": 2.0}, [-1.0, 0.5, 2.0, None]),
        ({"low": None, "high": 2.0}, [-3.0, 0.5, 2.0, None]),
        ({"low": 0.0, "high": None}, [0.0, 0.5, 9.0, None]),
    ],
)
def test_clip(bounds, expected):
    scores = of(Clip(raw=Fixed(-3.0, 0.5, 9.0, NONE), **bounds), 4)
    assert values(scores) == expected
    assert scores.components["raw"][:3].tolist() == [-3.0, 0.5, 9.0]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"at_least": 0.8}, [0.0, 0.0, 1.0, None]),
        ({"at_least": 0.7, "right": 1.0, "wrong": -1.0}, [-1.0, 1.0, 1.0, None]),
        ({"at_least": 0.7, "keep": True}, [0.0, 0.7, 0.8, None]),
    ],
)
def test_threshold(options, expected):
    """Seven of ten tests: 0 with tau 0.8, and with tau 0.7 a pass or the share itself."""
    assert values(of(Threshold(raw=Fixed(0.69, 0.7, 0.8, NONE), **options), 4)) == expected


def test_normalised_per_prompt():
    """1, 2, 4 of one prompt: mean 7/3, sample std 1.527525; a lone value and equal ones give 0; NaN does not count."""
    scores = of(Normalised(raw=Fixed(1.0, 2.0, 4.0, 5.0, NONE, NONE, 0.1, 0.1, 0.1), eps=1e-9), 9, group=3)
    expected = [-0.872872, -0.218218, 1.091089, 0.0, None, None, 0.0, 0.0, 0.0]
    assert values(scores) == [v if v is None else pytest.approx(v, abs=1e-5) for v in expected]


def test_normalised_over_the_batch_against_torch():
    values_ = torch.linspace(-3, 5, 12, dtype=torch.float64).exp()
    scores = of(Normalised(raw=Fixed(*values_.tolist()), over="batch", eps=1e-6), 12, group=3)
    torch.testing.assert_close(scores.total.double(), (values_ - values_.mean()) / values_.std(), atol=1e-5, rtol=1e-5)


def test_normalised_forgets_scale_and_offset():
    one = of(Normalised(raw=Fixed(0.1, 0.7, 0.2, 0.4)), 4, group=2).total
    other = of(Normalised(raw=Fixed(101.0, 107.0, 102.0, 104.0)), 4, group=2).total
    torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


class WithVerdict:
    needs: tuple[str, ...] = ()

    def __call__(self, prompts, rows, context):
        return Scores(torch.tensor([-5.0, 5.0]), verdict=torch.tensor([False, True]))


def test_a_yes_of_the_reward_before_stays_one():
    verdict = of(Clip(raw=WithVerdict()), 2).verdict
    assert verdict is not None
    assert verdict.tolist() == [False, True]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Clip(raw=Fixed(), low=1.0, high=1.0),
        lambda: Clip(raw=Fixed(), low=None, high=None),
        lambda: Threshold(raw=Fixed(), right=0.0),
        lambda: Normalised(raw=Fixed(), over="prompt"),
        lambda: Normalised(raw=Fixed(), eps=0.0),
    ],
)
def test_what_makes_no_sense_is_refused(make):
    with pytest.raises(UserError, match=r"^reward \w+: "):
        make()
