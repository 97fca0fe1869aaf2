"""SPO: the tracker over several steps."""

from __future__ import annotations

from math import sqrt

import pytest
import torch
from advantage_cases import agree, tokens

from crucible.algorithms.advantages.spo import SPO
from crucible.errors import UserError
from crucible.types import Prompt, Scores

EXCEPTIONS = {"group_of_one": "made for it: the baseline is what is known of the prompt"}


def oracle(rows, known=None):
    gaps = [row.reward - (known or {}).get(row.prompt, 0.5) for row in rows]
    if len(gaps) < 2:
        return [0.0] * len(gaps)
    mean = sum(gaps) / len(gaps)
    spread = sqrt(sum((g - mean) ** 2 for g in gaps) / (len(gaps) - 1))
    return [(g - mean) / (spread + 1e-8) for g in gaps]


def test_against_loops():
    agree(lambda scores, group, mask, prompts: SPO()(scores, group, mask, prompts), oracle)


def step(spo, reward, names):
    return tokens(spo, reward, list(range(len(reward))), prompts=[Prompt(id=n) for n in names])[:, 0].tolist()


def test_worked_numbers():
    """From a = b = 4 and R = 1: the baseline is .5, then a = .875 x 4 + 1 = 4.5 and b = 3.5."""
    spo = SPO()
    spo.load_state_dict({"trackers": {"x": [4.0, 4.0], "y": [4.888889, 3.111111]}})
    found = step(spo, [1.0, 1.0], ["x", "y"])
    gap = 0.5 - (1 - 4.888889 / 8)  # .5 above a baseline of .5, .388889 above one of .611111
    assert found == pytest.approx([sqrt(0.5) * gap / abs(gap), -sqrt(0.5)], abs=1e-6)
    assert spo.trackers["x"] == pytest.approx((4.5, 3.5))


def test_the_baseline_is_what_earlier_steps_left():
    """x is right three times: a = .5, 1.4375, 2.2578, ...; the advantage follows R - a / (a + b) of the step before."""
    spo, a, b = SPO(), 0.5, 0.5
    for _ in range(3):
        found = step(spo, [1.0, 0.0], ["x", "new"])
        gaps = [1.0 - a / (a + b), -0.5]
        assert found[0] > 0 > found[1]
        spo.trackers.pop("new")
        mean = sum(gaps) / 2
        spread = abs(gaps[0] - gaps[1]) / sqrt(2)
        assert found[0] == pytest.approx((gaps[0] - mean) / (spread + 1e-8))
        a, b = 0.875 * a + 1.0, 0.875 * b
        assert spo.trackers["x"] == pytest.approx((a, b))


def test_a_prompt_known_to_be_easy_learns_from_its_failures():
    spo = SPO()
    spo.load_state_dict({"trackers": {"easy": [9.0, 1.0], "hard": [1.0, 9.0]}})
    found = step(spo, [0.0, 1.0, 1.0, 0.0], ["easy", "easy2", "hard", "hard2"])
    assert found[0] < found[3] < 0 < found[1] < found[2]


def test_several_completions_count_as_one_and_failures_not_at_all():
    spo = SPO()
    prompts = [Prompt(id=n) for n in ("x", "x", "x", "gone")]
    scores = Scores(torch.tensor([1.0, 0.0, 0.5, float("nan")]), valid=torch.tensor([True, True, True, False]))
    spo(scores, torch.tensor([0, 0, 0, 1]), torch.ones(4, 1), prompts)
    assert spo.trackers == {"x": pytest.approx((0.875 * 0.5 + 0.5, 0.875 * 0.5 + 0.5))}


def test_the_state_survives_a_checkpoint():
    spo, again = SPO(), SPO()
    step(spo, [1.0, 0.0, 1.0], ["x", "y", "z"])
    again.load_state_dict(spo.state_dict())
    assert step(again, [1.0, 1.0], ["x", "y"]) == step(spo, [1.0, 1.0], ["x", "y"])


def test_impossible_inputs_are_refused():
    with pytest.raises(UserError, match="memory is 1"):
        SPO(memory=1.0)
    with pytest.raises(UserError, match="a reward is -1"):
        step(SPO(), [-1.0], ["x"])
