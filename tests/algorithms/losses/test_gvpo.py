"""GVPO: the group's log-ratios against its rewards."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from loss_cases import assert_rows, batch, call, ragged, value_and_slope

from crucible.algorithms.losses.gvpo import gvpo
from crucible.errors import UserError


def oracle(rows, *, beta=0.1):
    q = [beta * (math.fsum(row["logps"]) - math.fsum(row["old_logps"])) for row in rows]
    found = []
    for i, row in enumerate(rows):
        n = len(row["logps"])
        mates = [j for j, other in enumerate(rows) if other["group"] == row["group"] and other["logps"]]
        size = len(mates)
        if not n or size == 1:
            found.append(([0.0] * n, [0.0] * n))
            continue
        error = q[i] - math.fsum(q[j] for j in mates) / size - math.fsum(row["advantages"]) / n
        found.append(([size / (2 * (size - 1)) * error**2] * n, [size / (size - 1) * beta * error * n] * n))
    return found


@pytest.mark.parametrize("hyper", [{}, {"beta": 1.0}])
@pytest.mark.parametrize("by_token", [False, True])
def test_value_and_derivative_row_by_row(hyper, by_token):
    for given in ragged(by_token=by_token):
        assert_rows(gvpo, oracle, given, **hyper)


def row_mean(given, per_token):
    return ((per_token * given["mask"]).sum(-1) / given["mask"].sum(-1)).mean()


def test_worked_numbers():
    """G = 2, R = [1, 0], log-ratios [1, -1]: residuals -.4 and .4, loss .16."""
    given = batch(0, groups=[2], width=1)
    given["logps"] = given["old_logps"] + torch.tensor([[1.0], [-1.0]], dtype=torch.float64)
    given["advantages"] = torch.tensor([[0.5], [-0.5]], dtype=torch.float64)
    assert float(row_mean(given, call(gvpo, given).per_token)) == pytest.approx(0.16)


def test_with_centred_rewards_the_derivative_is_that_of_the_papers_objective():
    """By central differences, mean of q not held fixed: the mean over groups of the sum over the group."""
    given = batch(3, groups=(3, 4), spread=0.3)
    mask, group, rewards = given["mask"], given["group"], given["rewards"]
    centred = torch.stack([r - rewards[group == g].mean() for r, g in zip(rewards, group, strict=True)])
    given["advantages"] = centred.unsqueeze(-1) * mask

    def objective(logps):
        q = 0.2 * ((logps - given["old_logps"]) * mask).sum(-1)
        losses = []
        for g in group.unique():
            members = group == g
            error = q[members] - q[members].mean() - centred[members]
            losses.append(error.square().sum() / (2 * (len(error) - 1)) * len(error))
        return torch.stack(losses).sum() / len(group)  # each group weighs by its size

    leaf = given["logps"].clone().requires_grad_()
    found = row_mean(given, call(partial(gvpo, beta=0.2), given, logps=leaf).per_token)
    found.backward()
    assert float(found.detach()) == pytest.approx(float(objective(given["logps"])), rel=1e-12)
    for n, t in mask.nonzero().tolist():
        nudge = torch.zeros_like(mask)
        nudge[n, t] = 1e-5
        rise = float(objective(given["logps"] + nudge) - objective(given["logps"] - nudge)) / 2e-5
        assert float(leaf.grad[n, t]) == pytest.approx(rise, abs=1e-9)


def test_equal_rewards_still_pull_the_log_ratios_together():
    given = batch(4, groups=[2], width=1)
    given["logps"] = given["old_logps"] + torch.tensor([[1.0], [-1.0]], dtype=torch.float64)
    given["advantages"] = torch.zeros_like(given["advantages"])
    _, slope = value_and_slope(gvpo, given)
    assert slope.flatten().tolist() == pytest.approx([0.02, -0.02])


def test_no_pull_is_refused():
    with pytest.raises(UserError, match="gvpo: beta"):
        value_and_slope(partial(gvpo, beta=0.0), batch(1))
