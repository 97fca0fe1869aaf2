"""Online DPO: the best and the worst of a group as a pair."""

from __future__ import annotations

import math

import pytest
import torch
from loss_cases import assert_rows, batch, built, call, ragged, totals, value_and_slope

from crucible.algorithms.aggregation.seq_mean_token_mean import seq_mean_token_mean
from crucible.algorithms.losses.online_dpo import online_dpo


def oracle(rows, *, beta=0.1, form="sigmoid"):
    ratio = [math.fsum(row["logps"]) - math.fsum(row["reference_logps"]) for row in rows]
    found = []
    for i, row in enumerate(rows):
        n = len(row["logps"])
        mates = [j for j, other in enumerate(rows) if other["group"] == row["group"] and other["logps"]]
        best = max(mates, key=lambda j: (rows[j]["reward"], -j)) if mates else -1
        worst = min(mates, key=lambda j: (rows[j]["reward"], j)) if mates else -1
        if i not in (best, worst) or rows[best]["reward"] == rows[worst]["reward"]:
            found.append(([0.0] * n, [0.0] * n))
            continue
        d = ratio[best] - ratio[worst]
        if form == "sigmoid":
            value, slope = math.log1p(math.exp(-beta * d)), -beta / (1 + math.exp(beta * d))
        else:
            value, slope = (d - 1 / (2 * beta)) ** 2, 2 * (d - 1 / (2 * beta))
        sign = 1 if i == best else -1
        found.append(([len(mates) / 2 * value] * n, [len(mates) * sign * slope * n] * n))
    return found


@pytest.mark.parametrize("options", [{}, {"beta": 0.7}, {"form": "ipo", "beta": 0.3}])
def test_value_and_derivative_row_by_row(options):
    def with_rewards(rows, **hyper):
        return oracle([{**row, "reward": row["rewards"]} for row in rows], **hyper)

    for given in ragged():
        assert_rows(online_dpo, with_rewards, given, **options)


@pytest.mark.parametrize("groups", [(2, 2, 2), (4, 4)])
def test_the_mean_over_rows_is_dpo_over_pairs_in_value_and_gradient(groups):
    given = batch(1, groups=groups)
    leaf = given["logps"].clone().requires_grad_()
    pairs = []
    for g in given["group"].unique():
        rows = (given["group"] == g).nonzero().flatten()
        best, worst = (rows[pick(given["rewards"][rows])] for pick in (torch.argmax, torch.argmin))
        delta = ((leaf - given["reference_logps"]) * given["mask"]).sum(-1)
        pairs.append(-torch.nn.functional.logsigmoid(0.1 * (delta[best] - delta[worst])))
    expected = torch.stack(pairs).mean()
    expected.backward()
    ours = given["logps"].clone().requires_grad_()
    per_token = call(built("online_dpo"), given, logps=ours).per_token
    found = seq_mean_token_mean(per_token, given["mask"], totals(given["mask"], 9))
    found.backward()
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(ours.grad, leaf.grad)


def test_a_tie_and_a_row_without_a_reward_are_no_pair():
    given = batch(2, groups=(2, 2))
    given["rewards"] = torch.tensor([1.0, 1.0, 0.0, 1.0], dtype=torch.float64)
    given["valid"] = torch.tensor([True, True, True, False])
    value, slope = value_and_slope(built("online_dpo"), given)
    assert (value * given["mask"]).abs().sum() == slope.abs().sum() == 0
