from __future__ import annotations

import pytest
import torch

from crucible.errors import UserError
from crucible.rewards.repeated_window import repeated_window
from crucible.rewards.repetition import Repetition
from crucible.types import Rollouts
from tests.rewards.cases import completions, prompt, scored


def rollouts(rows: list[list[int]]) -> Rollouts:
    """Only what a reward reads: ids padded with 0, and their mask."""
    width, n = max(map(len, rows)), len(rows)
    ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])
    mask = torch.tensor([[1.0] * len(row) + [0.0] * (width - len(row)) for row in rows])
    none = torch.zeros(n, 1, dtype=torch.int64)
    return Rollouts(none, none, ids, mask, mask * 0, torch.zeros(n, dtype=torch.int64), none[:, 0], [], [""] * n, [])


def test_on_tokens():
    rows = [[5, 5, 5, 5, 5], [1, 2, 3, 4, 5], [5], [0, 0, 0]]  # a token 0 is no padding
    scores = scored(Repetition(n=2), [prompt()] * 4, completions("", "", "", ""), rollouts=rollouts(rows))
    assert scores.total.tolist() == [-0.75, 0.0, 0.0, -0.5]  # the first: TRL's worked number


def test_on_words():
    rows = completions("a b a b a B", "a b", "")
    scores = scored(Repetition(n=3, penalty=-2.0, unit="word"), [prompt()] * 3, rows)
    assert scores.total.tolist() == [-1.0, 0.0, 0.0]  # aba bab aba bab: two of four


def test_without_tokens_there_is_no_verdict():
    assert scored(Repetition(), [prompt()], completions("a a a a")).valid.tolist() == [False]


@pytest.mark.parametrize(("times", "expected"), [(5, 0.0), (6, -1.0)])
def test_a_window_of_ten_words_said_six_times(times, expected):
    text = " ".join(["one_two three four five six seven eight nine  ten" + f" {i}" for i in range(times)])
    assert scored(repeated_window(), [prompt()], completions(text)).total.item() == expected


@pytest.mark.parametrize(
    ("make", "options", "named"),
    [
        (Repetition, {"n": 0}, "n"),
        (Repetition, {"penalty": 1.0}, "penalty"),
        (Repetition, {"unit": "letter"}, "unit"),
        (repeated_window, {"times": 1}, "times"),
    ],
)
def test_senseless_options_are_refused(make, options, named):
    with pytest.raises(UserError, match=rf"reward\.{named}"):
        make(**options)
