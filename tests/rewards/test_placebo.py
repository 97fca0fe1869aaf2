"""The placebo: independent of the answers, exactly repeatable, different between seeds, steps and equal completions."""

from __future__ import annotations

import math

import pytest
import torch

from crucible.errors import UserError
from crucible.rewards.placebo import Placebo
from crucible.types import Completion, Prompt
from tests.rewards.cases import scored


def batch(texts, name="p"):
    return [Prompt(id=f"{name}{i // 8}") for i in range(len(texts))], [Completion(t, len(t)) for t in texts]


DIFFERENT = batch([f"answer {i}" for i in range(4000)])
EQUAL = batch(["7+8=15"] * 4000)


@pytest.mark.parametrize("rows", [DIFFERENT, EQUAL], ids=["different", "equal"])
@pytest.mark.parametrize("probability", [0.5, 0.1])
def test_the_share_of_ones_is_the_probability(rows, probability):
    total = scored(Placebo(seed=1, probability=probability), *rows).total
    assert set(total.tolist()) == {0.0, 1.0}
    assert abs(total.mean().item() - probability) < 4 * math.sqrt(probability * (1 - probability) / 4000)


def test_equal_completions_of_a_group_are_drawn_independently():
    groups = scored(Placebo(seed=1), *EQUAL).total.view(-1, 8)
    mixed = (groups.amin(1) < groups.amax(1)).float().mean().item()
    assert abs(mixed - (1 - 2 * 0.5**8)) < 4 * math.sqrt(2 * 0.5**8 / 500)


def test_it_does_not_know_the_right_answer():
    """Half of the answers are right; the reward of the right ones is that of the wrong ones."""
    rows = batch(["right", "wrong"] * 2000)
    total = scored(Placebo(seed=3), *rows).total
    assert abs((total[0::2].mean() - total[1::2].mean()).item()) < 4 * math.sqrt(0.5 / 2000)


def test_the_same_batch_gives_the_same_rewards_whatever_was_asked_before():
    fresh, used = Placebo(seed=1), Placebo(seed=1)
    scored(used, *EQUAL)
    scored(used, *DIFFERENT)
    torch.rand(3)
    assert scored(fresh, *DIFFERENT).total.equal(scored(used, *DIFFERENT).total)


@pytest.mark.parametrize(
    ("seed", "rows"),
    [
        (2, DIFFERENT),
        (1, batch([*(c.text for c in DIFFERENT[1][:-1]), "another"])),
        (1, batch([c.text for c in DIFFERENT[1]], name="q")),
    ],
    ids=["another seed", "one other text", "other prompts"],
)
def test_another_seed_or_batch_gives_other_rewards(seed, rows):
    agree = (scored(Placebo(seed=1), *DIFFERENT).total == scored(Placebo(seed=seed), *rows).total).float().mean().item()
    assert abs(agree - 0.5) < 4 * 0.5 / math.sqrt(4000)


@pytest.mark.parametrize("probability", [0.0, 1.0, -0.1, float("nan")])
def test_a_probability_that_leaves_no_signal_is_refused(probability):
    with pytest.raises(UserError, match=r"reward\.probability="):
        Placebo(seed=1, probability=probability)
