"""GRPO-CARE's consistency bonus."""

from __future__ import annotations

from functools import partial
from math import exp, log
from statistics import mean

import pytest
import torch
from advantage_cases import groups_of, tokens
from shaping_cases import agree, check, totals

from crucible.algorithms.advantages.group_norm import group_norm
from crucible.algorithms.shaping.grpo_care import grpo_care


def oracle(rows, answer_tokens=4, margin=0.01):
    found = [row.reward for row in rows]
    for members in groups_of(rows):
        least = max(mean(rows[i].reward for i in members) - 1e-12, 0.1)
        seen = {
            i: min(exp(mean(rows[i].reference_logps[-answer_tokens:])), 0.95)
            for i in members
            if rows[i].reward >= least
        }
        for i, c in seen.items():
            if c >= mean(seen.values()) - margin:
                found[i] *= 1.5
    return found


def test_against_loops():
    agree(grpo_care, oracle)
    agree(partial(grpo_care, answer_tokens=2, margin=0.3), partial(oracle, answer_tokens=2, margin=0.3))


def test_worked_numbers():
    reference = torch.tensor([[log(0.9)], [log(0.5)], [log(0.99)]], dtype=torch.float64)
    check(grpo_care, [1, 1, 0], [1.5, 1, 0], reference_logps=reference)
    shaped = totals(grpo_care, [1, 1, 0], reference_logps=reference)
    found = tokens(partial(group_norm, eps=1e-4), shaped)[:, 0].tolist()
    assert found == pytest.approx([0.872757, 0.218189, -1.090947], abs=1e-5)
    reference = torch.tensor([[0.8], [0.6], [0.9], [0.7]], dtype=torch.float64).log()
    check(grpo_care, [1, 1, 0, 1], [1.5, 1, 0, 1.5], reference_logps=reference)


def test_one_right_row_meets_its_own_mean():
    check(grpo_care, [1, 0], [1.5, 0], reference_logps=torch.tensor([[-5.0], [-0.1]]))
