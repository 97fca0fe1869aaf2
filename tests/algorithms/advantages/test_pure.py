"""PURE's min-form credit assignment."""

from __future__ import annotations

from functools import partial
from math import exp

import pytest
import torch
from advantage_cases import agree, groups_of, tokens

from crucible.algorithms.advantages.pure import pure
from crucible.errors import UserError
from crucible.types import Scores

EXCEPTIONS = {"equal_rewards": "the baseline is per token, so lengths matter where rewards are equal"}


def oracle(rows, temperature=0.1, outcome=False):
    found = [[0.0] * row.length for row in rows]
    worth, per_token = {}, {}
    for i, row in enumerate(rows):
        steps = [row.length - 1] if outcome else [t for t, r in enumerate(row.paid) if r != 0]
        scale = sum(exp(-row.paid[t] / temperature) for t in steps)
        worth[i] = {t: exp(-row.paid[t] / temperature) / scale * row.paid[t] for t in steps}
        per_token[i] = sum(worth[i].values()) / row.length
    for members in groups_of(rows):
        for i in members if len(members) > 1 else ():
            baseline = sum(per_token[j] for j in members if j != i) / (len(members) - 1)
            start = 0
            for t, value in worth[i].items():
                for before in range(t + 1):
                    found[i][before] += value - baseline * (t + 1 - start)
                start = t + 1
    return found


def test_against_loops():
    agree(pure, oracle, kinds=("steps",))
    agree(partial(pure, temperature=1.0), partial(oracle, temperature=1.0), kinds=("steps",))
    agree(pure, partial(oracle, outcome=True), kinds=("binary", "graded"))


def steps_of(*paid):
    per_token = torch.tensor(paid, dtype=torch.float64)
    return Scores(per_token.sum(-1), per_token=per_token)


@pytest.mark.parametrize(("temperature", "total"), [(0.1, -0.199317), (1.0, 0.183750)])
def test_worked_numbers(temperature, total):
    """Steps .8, -.2, .5 beside a completion without steps, whose baseline is 0."""
    scores = steps_of([0.8, -0.2, 0.5], [0.0, 0.0, 0.0])
    found = tokens(partial(pure, temperature=temperature), [0, 0], lengths=[3, 3], scores=scores)[0].tolist()
    assert found[0] == pytest.approx(total, abs=1e-6)
    if temperature == 0.1:
        assert found == pytest.approx([-0.199317, -0.199353, 0.000456], abs=1e-6)


def test_the_verdict_is_added_leave_one_out():
    scores = steps_of([0.0, 0.0], [0.0, 0.0], [0.0, 0.0])
    scores.verdict = torch.tensor([True, False, False])
    found = tokens(partial(pure, verifiable=2.0), [0] * 3, lengths=[2] * 3, scores=scores)
    assert found[:, 0].tolist() == pytest.approx([2.0, -1.0, -1.0])
    assert found[:, 1].tolist() == pytest.approx([2.0, -1.0, -1.0])


def test_impossible_options_are_refused():
    with pytest.raises(UserError, match="needs a reward with a verdict"):
        tokens(partial(pure, verifiable=1.0), [1, 0])
    with pytest.raises(UserError, match="temperature is 0"):
        tokens(partial(pure, temperature=0.0), [1, 0])
