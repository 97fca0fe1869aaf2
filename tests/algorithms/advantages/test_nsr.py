"""Negative sample reinforcement."""

from __future__ import annotations

import torch
from advantage_cases import agree, check, tokens

from crucible.algorithms.advantages.nsr import nsr

EXCEPTIONS = {"equal_rewards": "A = -1 on wrong answers, no baseline", "group_of_one": "no baseline, no group"}


def oracle(rows):
    return [0.0 if row.reward >= 1 else -1.0 for row in rows]


def test_against_loops():
    agree(nsr, oracle)


def test_worked_numbers():
    check(nsr, [1, 0, 1, 0.5], [0, -1, 0, -1])
    check(nsr, [1, 1], [0, 0])


def test_direction_on_the_logits():
    """p = [.6, .3, .1], token 0 sampled and wrong: what it loses goes to the others in proportion."""
    logits = torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64).log().requires_grad_()
    (tokens(nsr, [0.0])[0, 0] * logits.log_softmax(-1)[0]).backward()
    assert [round(x, 9) for x in logits.grad.tolist()] == [-0.4, 0.3, 0.1]
