"""TOPR: the sign of the reward decides whether the ratio counts."""

from __future__ import annotations

import math

import pytest
import torch
from loss_cases import (
    F1,
    assert_f1,
    assert_policy_gradient_on_policy,
    assert_rows,
    batch,
    built,
    call,
    ragged,
    tokens,
    value_and_slope,
)

from crucible.algorithms.losses.topr import topr


def oracle(rows, *, ratio="sequence", positive_weight=1.0, negative_weight=1.0):
    found = []
    for row in rows:
        moves = [new - old for new, old in zip(row["logps"], row["old_logps"], strict=True)]
        whole = math.exp(math.fsum(moves))
        weights = [
            positive_weight if row["rewards"] > 0
            else negative_weight * min(whole if ratio == "sequence" else math.exp(move), 1.0)
            for move in moves
        ]  # fmt: skip
        slopes = [-w * a for w, a in zip(weights, row["advantages"], strict=True)]
        found.append(([s * logp for s, logp in zip(slopes, row["logps"], strict=True)], slopes))
    return found


@pytest.mark.parametrize("hyper", [{}, {"ratio": "token"}, {"positive_weight": 0.5, "negative_weight": 2.0}])
@pytest.mark.parametrize("by_token", [False, True])
def test_value_and_coefficient_row_by_row(hyper, by_token):
    for given in [*ragged(by_token=by_token), batch(9, spread=2.0)]:
        assert_rows(topr, oracle, given, **hyper)


def test_worked_numbers():
    values = [0.287682, 0.693147, 1.386294, -0.287682, -0.693147]
    assert_f1(built("topr_token"), values, [-1, -1, -1, 1, 0.5], 0.277259)
    _, slope = value_and_slope(built("topr"), F1)  # both trajectory ratios are .75
    torch.testing.assert_close(slope, torch.tensor([[-1, -1, -1], [0.75, 0.75, 0]], dtype=torch.float64))


def test_a_bad_completion_never_counts_more_than_once_and_a_good_one_never_less():
    for log_delta, good, bad in [(-30.0, 1.0, math.exp(-20.0)), (-1.0, 1.0, math.exp(-1.0)), (3.0, 1.0, 1.0)]:
        for reward, weight in ((1.0, good), (0.0, bad), (-1.0, bad)):
            _, slope = value_and_slope(topr, tokens([log_delta], [-1.0], [-40.0], rewards=reward))
            assert float(slope) == pytest.approx(weight)


def test_a_reward_of_zero_used_as_advantage_has_no_gradient():
    given = batch(3)
    given |= {"rewards": given["rewards"] * 0, "advantages": given["advantages"] * 0}
    assert torch.all(value_and_slope(topr, given)[1] == 0)


def test_it_starts_as_the_policy_gradient():
    assert_policy_gradient_on_policy(topr)


def test_the_weight_is_detached():
    given = batch(4)
    leaf = given["logps"].clone().requires_grad_()
    frozen = call(topr, given).per_token / given["logps"]
    (call(topr, given, logps=leaf).per_token * given["mask"]).sum().backward()
    torch.testing.assert_close(leaf.grad, frozen * given["mask"])
