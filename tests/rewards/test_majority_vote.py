"""Majority voting: the worked example, ties, nothing to vote on, and what it says about the truth."""

from __future__ import annotations

import itertools

import pytest

from crucible.rewards.majority_vote import MajorityVote
from crucible.types import Prompt
from tests.rewards.cases import completions, scored
from tests.rewards.parts import values


class Gold:
    """A task that takes a text with the gold answer at its end for right."""

    name = "gold"

    def correct(self, prompt, completion):
        return completion.endswith(str(prompt.reference["answer"]))


def vote(*texts: str, gold: str = "4", numeric: bool = True, prompt: str = "p"):
    prompts = [Prompt(id=prompt, reference={"answer": gold})] * len(texts)
    return scored(MajorityVote(task=Gold(), numeric=numeric), prompts, completions(*texts))


def test_the_worked_example():
    scores = vote("=4", "=4", "=7", "=4")
    assert values(scores) == [1.0, 1.0, 0.0, 1.0]
    assert scores.components["majority_ratio"].tolist() == [0.75] * 4
    assert scores.components["true/label_accuracy"].tolist() == [1.0] * 4
    assert scores.components["true/reward_accuracy"].tolist() == [1.0] * 4


def test_a_confident_wrong_majority_is_seen():
    scores = vote("=7", "=7", "=4")
    assert values(scores) == [1.0, 1.0, 0.0]
    assert scores.components["true/label_accuracy"].tolist() == [0.0] * 3
    assert scores.components["true/reward_accuracy"].tolist() == [0.0] * 3


def test_the_truth_is_not_in_the_reward():
    assert values(vote("=7", "=7", "=4", gold="4")) == values(vote("=7", "=7", "=4", gold="7"))


def test_equal_numbers_are_one_answer():
    assert values(vote("=1/2", "=0.5", "=3", "=3.", "=\\boxed{\\frac{1}{2}}")) == [1.0, 1.0, 0.0, 0.0, 1.0]


def test_who_gives_no_answer_has_no_vote():
    scores = vote("", "none", "", "=7")
    assert values(scores) == [0.0, 0.0, 0.0, 1.0]
    assert scores.components["majority_ratio"].tolist() == [0.25] * 4
    assert values(vote("", "none")) == [None, None]


def test_a_tie_is_broken_alike_in_every_order_and_favours_no_side():
    texts = ["=3", "=9", "=3", "=9", "=5"]
    winners = set()
    for order in itertools.permutations(range(5)):
        total = vote(*(texts[i] for i in order)).total.tolist()
        winners.add(frozenset(texts[i] for i, reward in zip(order, total, strict=True) if reward))
    assert len(winners) == 1
    smaller = sum(vote("=3", "=9", prompt=f"p{i}").total[0].item() for i in range(200))
    assert 70 < smaller < 130


def test_prompts_vote_apart():
    prompts = [Prompt(id=i, reference={"answer": "4"}) for i in ("a", "b", "a", "b", "a", "b")]
    texts = completions("=4", "=7", "=4", "=7", "=7", "=4")
    assert values(scored(MajorityVote(task=Gold()), prompts, texts)) == [1.0, 1.0, 1.0, 1.0, 0.0, 0.0]


@pytest.mark.parametrize(("numeric", "expected"), [(False, [1.0, 1.0, 0.0]), (True, [None, None, None])])
def test_texts_vote_too(numeric, expected):
    assert values(vote("so\nParis.", "well\nparis", "Rome", numeric=numeric)) == expected
