"""GRPO with process supervision."""

from __future__ import annotations

from statistics import mean, stdev

import pytest
import torch
from advantage_cases import agree, groups_of, tokens

from crucible.algorithms.advantages.process_group_norm import process_group_norm
from crucible.types import Scores


def oracle(rows):
    """A completion with one reward is one step; a paid token ends a step."""
    found = [[0.0] * row.length for row in rows]
    for members in groups_of(rows):
        steps = {(i, t): r for i in members for t, r in enumerate(rows[i].paid) if ends(rows[i], t)}
        if len(steps) > 1:
            for (i, t), r in steps.items():
                score = (r - mean(steps.values())) / (stdev(steps.values()) + 1e-6)
                for before in range(t + 1):
                    found[i][before] += score
    return found


def ends(row, t):
    outcome_only = all(r == 0 for r in row.paid[:-1]) and row.paid[-1] == row.reward
    return row.paid[t] != 0 or (row.reward in (0.0, 1.0) and outcome_only and t == row.length - 1 and not row.stepwise)


def test_against_loops():
    for kind in ("binary", "graded", "steps"):
        agree(process_group_norm, lambda rows, k=kind: oracle(marked(rows, k)), kinds=(kind,))


def marked(rows, kind):
    for row in rows:
        row.stepwise = kind == "steps"
    return rows


def test_worked_numbers():
    """Steps .5 and 1 in one row, 0.5 and 0.2 in the other: mean .55, std .3317; the last step is on the last token."""
    per_token = torch.tensor([[0.5, 0.0, 1.0], [0.5, 0.2, 0.0]], dtype=torch.float64)
    given = Scores(per_token.sum(-1), per_token=per_token)
    found = tokens(process_group_norm, [0, 0], lengths=[3, 2], scores=given)
    first, last, other, low = ((r - 0.55) / 0.3316625 for r in (0.5, 1.0, 0.5, 0.2))
    assert found.flatten().tolist() == pytest.approx([first + last, last, last, other + low, low, 0], abs=1e-5)


def test_one_reward_a_completion_is_grpo():
    found = tokens(process_group_norm, [1, 0, 0, 1], lengths=[3, 1, 2, 2])
    assert found[:, 0].tolist() == pytest.approx([0.866024, -0.866024, -0.866024, 0.866024], abs=1e-6)
    assert found[0].tolist() == pytest.approx([0.866024] * 3, abs=1e-6)
