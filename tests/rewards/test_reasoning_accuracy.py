from __future__ import annotations

import torch

from crucible.errors import UserError
from crucible.rewards.base import per_sample
from crucible.rewards.gsm8k import gsm8k
from crucible.rewards.reasoning_accuracy import ReasoningAccuracy
from tests.rewards.cases import completions, prompt, scored


@per_sample(needs=["answer"])
def says(prompt, completion):
    """1 or 0; no verdict on the text `?`."""
    return None if completion.text == "?" else float(completion.text == prompt.reference["answer"])


def test_only_what_follows_the_last_mark_is_judged():
    rows = completions("5</think>6", "6</think>5", "5", "x</think>7</think>5", "</think>?", "?")
    scores = scored(ReasoningAccuracy(score=says()), [prompt(answer="5")] * 6, rows)
    assert scores.total.tolist() == [0.0, 1.0, 0.0, 1.0, 0.0, 0.0]
    assert scores.valid.tolist() == [True, True, True, True, False, True]  # unfinished: a 0 whatever the verifier says
    assert scores.components["finished"].tolist() == [1, 1, 0, 1, 1, 0]
    assert torch.isnan(scores.components["score"]).tolist() == [False, False, False, False, True, False]


def test_it_needs_what_its_verifier_needs():
    assert ReasoningAccuracy(score=gsm8k()).needs == ("answer",)


def test_an_empty_mark_is_refused():
    import pytest

    with pytest.raises(UserError, match=r"reward\.delimiter"):
        ReasoningAccuracy(score=says(), delimiter="")
