"""OREAL's token weights, against the authors' objective with its own denominators."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from advantage_cases import agree, groups_of, tokens
from rollout_cases import case

from crucible.algorithms.advantages.oreal_token import oreal_token

EXCEPTIONS = {"row_order": "the first right and the first wrong row of a prompt are kept"}


def chosen(rows):
    """The first right and the first wrong row of every prompt that has both."""
    kept = []
    for members in groups_of(rows):
        right = [i for i in members if rows[i].reward >= 1]
        wrong = [i for i in members if rows[i].reward < 1]
        kept += [right[0], wrong[0]] if right and wrong else []
    return kept


def oracle(rows, clone=True, threshold=0.5):
    found = [[0.0] * row.length for row in rows]
    kept = chosen(rows)
    side = {good: sum(rows[i].length for i in kept if (rows[i].reward >= 1) == good) for good in (True, False)}
    for members in groups_of(rows):
        for i in [j for j in members if j in kept]:
            good = rows[i].reward >= 1
            gap = rows[i].reward - sum(rows[j].reward for j in members if j != i) / (len(members) - 1)
            base = 1.0 if good and clone else gap if good else 0.5 * gap
            for t in range(rows[i].length):
                p = 1 / (1 + math.exp(-sum(rows[i].token_scores[: t + 1]) / (t + 1)))
                weight = max((p if good else 1 - p) - threshold, 0.0) / (1 - threshold)
                found[i][t] = base * weight * (side[True] + side[False]) / side[good]
    return found


def test_against_loops():
    agree(oreal_token, oracle, kinds=("binary",))
    agree(partial(oreal_token, clone=False), partial(oracle, clone=False), kinds=("binary",))
    agree(partial(oreal_token, threshold=0.2), partial(oracle, threshold=0.2), kinds=("binary",))


def test_worked_numbers():
    """Scores [2, -4, 2]: running means [2, -1, 0], w+ = [.761594, 0, 0], w- = [0, .462117, 0]."""
    scores = torch.tensor([[2.0, -4.0, 2.0]] * 2, dtype=torch.float64)
    found = tokens(oreal_token, [1, 0], lengths=[3, 3], token_scores=scores)
    assert found[0].tolist() == pytest.approx([2 * 0.761594, 0, 0], abs=2e-6)
    assert found[1].tolist() == pytest.approx([0, 2 * -0.5 * 0.462117, 0], abs=2e-6)


def test_the_token_mean_of_reinforce_is_the_authors_loss():
    """Positive part: sum w (-log pi) over its tokens / their number; negative: sum of -A w r / its own number."""
    given = case(2)
    found = oreal_token(given["scores"], given["group"], given["mask"], given["token_scores"])
    mask, keep, logps = given["mask"], found.keep, given["old_logps"]
    p = torch.sigmoid(given["token_scores"].cumsum(-1) / torch.arange(1, 7))
    right = given["scores"].total >= 1
    plus, minus = ((p - 0.5) / 0.5).clamp(0, 1) * mask, ((0.5 - p) / 0.5).clamp(0, 1) * mask
    others = torch.stack([
        given["scores"].total[(given["group"] == g) & (torch.arange(len(right)) != i)].mean()
        for i, g in enumerate(given["group"])
    ])  # fmt: skip
    gap = (given["scores"].total - others).unsqueeze(-1)
    positive = (-logps * plus)[keep & right].sum() / mask[keep & right].sum()
    negative = 0.5 * (-gap * minus * logps)[keep & ~right].sum() / mask[keep & ~right].sum()
    ours = -(found.values * logps)[keep].sum() / mask[keep].sum()
    assert float(ours) == pytest.approx(float(positive + negative), rel=1e-12)


def test_a_head_that_knows_nothing_teaches_nothing():
    given = case(3)
    found = oreal_token(given["scores"], given["group"], given["mask"], torch.zeros_like(given["mask"]))
    assert torch.all(found.values == 0)
    assert bool(found.keep.any())
