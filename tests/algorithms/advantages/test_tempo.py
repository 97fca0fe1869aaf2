"""TEMPO, with prefixes compared as tuples."""

from __future__ import annotations

from functools import partial
from statistics import mean, stdev

import pytest
import torch
from advantage_cases import agree, groups_of, tokens

from crucible.algorithms.advantages.tempo import tempo


def oracle(rows, divide=True):
    found = [[0.0] * row.length for row in rows]
    for members in groups_of(rows):
        centre = mean(rows[i].reward for i in members)
        spread = stdev(rows[i].reward for i in members) if len(members) > 1 else 0.0

        def value(prefix, members=members):
            sharing = [rows[j].reward for j in members if tuple(rows[j].completion_ids[: len(prefix)]) == prefix]
            return mean(sharing)

        for i in members:
            ids = tuple(rows[i].completion_ids)
            for t in range(rows[i].length if len(members) > 1 else 0):
                step = rows[i].reward - centre + value(ids[: t + 1]) - value(ids[:t])
                found[i][t] = step / (spread + 1e-6) if divide else step
    return found


def test_against_loops():
    agree(tempo, oracle, seeds=10)
    agree(partial(tempo, divide_by_std=False), partial(oracle, divide=False))


def test_worked_numbers():
    x, y, u, v, w = range(5)
    ids = torch.tensor([[x, u], [x, v], [y, w]])
    found = tokens(tempo, [1, 0, 0], lengths=[2, 2, 2], completion_ids=ids)
    expected = [1.443373, 2.020722, -0.288675, -1.443373, -1.154699, -0.577349]
    assert found.flatten().tolist() == pytest.approx(expected, abs=2e-6)


def test_a_completion_that_has_ended_leaves_the_branch():
    """Rows x, x u, x v: after x the first is over, so the second token of the others is alone on its branch."""
    ids = torch.tensor([[7, 0], [7, 0], [7, 1]])
    found = tokens(partial(tempo, divide_by_std=False), [1, 0, 0.5], lengths=[1, 2, 2], completion_ids=ids)
    assert found.flatten().tolist() == pytest.approx([0.5, 0.0, -0.5, -1.0, 0.0, 0.0])


def test_no_shared_token_is_grpo():
    ids = torch.tensor([[0, 9], [1, 9], [2, 9]])
    found = tokens(tempo, [1, 0, 0], lengths=[2, 2, 2], completion_ids=ids)
    assert found[:, 1].tolist() == pytest.approx([1.154699, -0.577349, -0.577349], abs=2e-6)
