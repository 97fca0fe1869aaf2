"""Positive sample reinforcement."""

from __future__ import annotations

from functools import partial

import torch
from advantage_cases import agree, check

from crucible.algorithms.advantages.psr import psr

EXCEPTIONS = {"equal_rewards": "A = 1 on right answers, no baseline", "group_of_one": "no baseline, no group"}


def oracle(rows):
    return [1.0 if row.reward >= 1 else 0.0 for row in rows]


def test_against_loops():
    agree(psr, oracle)


def test_worked_numbers():
    check(psr, [1, 0, 1, 0.5], [1, 0, 1, 0])
    check(partial(psr, right_reward=0.5), [1, 0, 1, 0.5], [1, 0, 1, 1])
    check(psr, [0, 0], [0, 0])


def test_direction_on_the_logits():
    """p = [.6, .3, .1], token 0 sampled and right: its logit rises by .4, the others fall by what they have."""
    assert ascent(psr, 1.0) == [0.4, -0.3, -0.1]


def ascent(part, reward):
    from advantage_cases import tokens

    logits = torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64).log().requires_grad_()
    (tokens(part, [reward])[0, 0] * logits.log_softmax(-1)[0]).backward()
    return [round(x, 9) for x in logits.grad.tolist()]
