"""The optimal token baseline."""

from __future__ import annotations

from functools import partial
from math import exp, log

import pytest
import torch
from advantage_cases import agree, groups_of, tokens

from crucible.algorithms.advantages.otb import otb

EXCEPTIONS = {"equal_rewards": "no baseline on the tail of the longest row, and an eps beside the weights elsewhere"}


def oracle(rows, zero_tail=True, weighted=False):
    found = [[0.0] * row.length for row in rows]
    for members in groups_of(rows):
        energy = {
            i: [
                sum(
                    (1 - 2 * exp(rows[i].old_logps[k]) + rows[i].old_collision[k])
                    * (exp(rows[i].old_logps[k] - rows[i].sampling_logps[k]) ** 2 if weighted else 1.0)
                    for k in range(t + 1)
                )
                for t in range(rows[i].length)
            ]
            for i in members
        }
        for i in members if len(members) > 1 else ():
            for t in range(rows[i].length):
                there = [j for j in members if rows[j].length > t]
                to_go = {j: sum(rows[j].paid[t:]) for j in there}
                above = sum(to_go[j] * energy[j][t] for j in there)
                baseline = above / (sum(energy[j][t] for j in there) + 1e-8)
                found[i][t] = to_go[i] - (0.0 if zero_tail and len(there) < 2 else baseline)
    return found


def test_against_loops():
    agree(otb, oracle, kinds=("binary", "graded", "steps"))
    agree(partial(otb, zero_tail=False), partial(oracle, zero_tail=False))
    agree(partial(otb, rollout_weights=True), partial(oracle, weighted=True))


def test_worked_numbers():
    old = torch.tensor([[0.5, 0.5], [0.8, 1.0]], dtype=torch.float64).log()
    squares = torch.tensor([[0.5, 0.5], [0.68, 0.0]], dtype=torch.float64)
    found = tokens(otb, [1, 0], lengths=[2, 1], old_logps=old, old_collision=squares, sampling_logps=old)
    assert found.flatten().tolist() == pytest.approx([0.137931, 1.0, -0.862069, 0.0], abs=1e-6)


def test_equally_uncertain_rows_share_the_mean():
    old = torch.full((3, 1), log(0.5), dtype=torch.float64)
    found = tokens(otb, [1, 0, 0], old_logps=old, old_collision=torch.full_like(old, 0.5), sampling_logps=old)
    assert found.flatten().tolist() == pytest.approx([2 / 3, -1 / 3, -1 / 3], abs=1e-6)
