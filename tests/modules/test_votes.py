"""What an evaluation stores for maj@k, and that it agrees with what it stores for avg@k."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from crucible.data.chain import Chain
from crucible.data.countdown import Countdown
from crucible.modules.evaluation import Evaluation
from crucible.modules.votes import votes_of
from crucible.types import Prompt


def test_a_sum_is_voted_on_by_the_answer_its_own_check_reads():
    task = Chain(terms=3)
    prompt = task.prompt("7+8-6")
    texts = ["7+8=15;15-6=9", "=9", "7+8=15;15-6=8", "7+8=15;15-6", "=9 ok", ""]
    right = [task.correct(prompt, text) for text in texts]
    assert votes_of(task, [prompt] * 6, texts, right, 6) == [[[2, 2], [1, 0]]]  # three cannot be read


def test_free_texts_are_voted_on_by_value():
    prompts = [Prompt(id=a, text="?", reference={"answer": a}, source="q") for a in ("0.5", "Paris")]
    texts = ["the answer is 1/2", "\\boxed{0.50}", "so it is 50%", "#### Paris.", "I say\nparis", "#### Rome"]
    right = [True, True, False, True, True, False]
    found = votes_of(SimpleNamespace(), [p for p in prompts for _ in range(3)], texts, right, 3)
    assert found == [[[2, 2], [1, 0]], [[2, 2], [1, 0]]]


def test_problems_with_many_right_answers_have_no_vote():
    task = Countdown()
    prompt = task.eval_prompts()[0]
    assert votes_of(task, [prompt], [""], [False], 1) is None
    asked = Prompt(id="q", text="?", reference={}, source="q")
    assert votes_of(SimpleNamespace(), [asked], ["7"], [True], 1) is None
    assert Evaluation(samples_per_prompt=2).majority("countdown", None) == {}


def test_the_metrics_of_a_vote():
    found = Evaluation(samples_per_prompt=4).majority("chain", [[[3, 3], [1, 0]], [[2, 0], [2, 2]], []])
    assert found["eval/chain/maj@4"] == pytest.approx((1 + 0.5 + 0) / 3)
    assert found["eval/chain/maj@4_low"] < 0.5 < found["eval/chain/maj@4_high"]
    assert found["eval/chain/votes_of_4"][1] == [[2, 0], [2, 2]]
    assert Evaluation(samples_per_prompt=1).majority("chain", [[[1, 1]]]) == {}  # one vote is avg@1
