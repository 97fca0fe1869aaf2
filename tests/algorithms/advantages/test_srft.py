"""SRFT's on-policy weights."""

from __future__ import annotations

import math

import torch
from advantage_cases import agree, check

from crucible.algorithms.advantages.srft import srft

EXCEPTIONS = {"equal_rewards": "a weight of the verdict, without a baseline", "group_of_one": "no baseline, no group"}


def oracle(rows):
    return [0.1 * math.exp(math.fsum(r.entropy) / r.length) if r.reward >= 1 else -1.0 for r in rows]


def test_against_loops():
    agree(srft, oracle)


def test_worked_numbers():
    """H = 0, .5, 1 on right answers."""
    entropy = torch.tensor([[0.0], [0.5], [1.0], [1.0]], dtype=torch.float64)
    check(srft, [1, 1, 1, 0], [0.1, 0.164872, 0.271828, -1], entropy=entropy)
