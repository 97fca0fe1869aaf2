"""GRPO-lambda's traces, token pair by token pair."""

from __future__ import annotations

from functools import partial
from statistics import mean, stdev

import pytest
from advantage_cases import agree, groups_of, tokens

from crucible.algorithms.advantages.grpo_lambda_trace import grpo_lambda_trace
from crucible.errors import UserError


def oracle(rows, decay=0.99, both=False, lowest=-0.1):
    found = [[0.0] * row.length for row in rows]
    for members in groups_of(rows):
        reward = [rows[i].reward for i in members]
        spread = stdev(reward) if len(reward) > 1 else 0.0
        for i in members:
            a = max((rows[i].reward - mean(reward)) / (spread + 1e-6), lowest)
            for t in range(rows[i].length):
                for j in range(t + 1):
                    found[i][j] += a * (max(decay ** (t - j), decay**j) if both else decay ** (t - j))
    return found


def test_against_loops():
    agree(grpo_lambda_trace, oracle)
    agree(
        partial(grpo_lambda_trace, lambda_=0.7, gamma=0.9, trace="both", lowest=None),
        partial(oracle, decay=0.63, both=True, lowest=-9.0),
    )


def test_worked_numbers():
    """Three tokens, decay 1/2, advantage sqrt(1/2): 1 + 1/2 + 1/4, 1 + 1/2, 1. The other row is bounded at -0.1."""
    found = tokens(partial(grpo_lambda_trace, lambda_=0.5, eps=0.0), [1, 0], lengths=[3, 1])
    assert found[0].tolist() == pytest.approx([0.5**0.5 * x for x in (1.75, 1.5, 1.0)])
    assert found[1].tolist() == pytest.approx([-0.1, 0.0, 0.0])


def test_no_memory_is_grpo():
    found = tokens(partial(grpo_lambda_trace, lambda_=0.0, lowest=None), [1, 0, 0, 1], lengths=[3] * 4)
    assert found[:, 0].tolist() == pytest.approx([0.866024, -0.866024, -0.866024, 0.866024], abs=1e-6)
    assert found[0].tolist() == pytest.approx([float(found[0, 0])] * 3)


def test_impossible_options_are_refused():
    with pytest.raises(UserError, match='did you mean "both"'):
        tokens(partial(grpo_lambda_trace, trace="boht"), [1, 0])
    with pytest.raises(UserError, match="product from 0 to 1"):
        tokens(partial(grpo_lambda_trace, lambda_=1.5), [1, 0])
