"""FlowRL: trajectory balance of a completion, and what reaches log Z."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from loss_cases import assert_rows, batch, call, ragged, value_and_slope

from crucible.algorithms.losses.flowrl import flowrl
from crucible.errors import UserError


def oracle(rows, *, beta=15.0, cap=10.0):
    found = []
    for row in rows:
        n = len(row["logps"])
        if not n:
            found.append(([], []))
            continue
        weight = min(math.exp(math.fsum(row["logps"]) - math.fsum(row["old_logps"])), cap)
        drift = (math.fsum(row["logps"]) - math.fsum(row["reference_logps"])) / n
        error = row["log_partition"] + drift - beta * math.fsum(row["advantages"]) / n
        found.append(([weight * error**2] * n, [2 * weight * error] * n))
    return found


@pytest.mark.parametrize("hyper", [{}, {"beta": 0.1}, {"cap": 0.9}])
@pytest.mark.parametrize("by_token", [False, True])
def test_value_and_derivative_row_by_row(hyper, by_token):
    for given in ragged(by_token=by_token):
        assert_rows(flowrl, oracle, given, **hyper)


def test_worked_numbers():
    """log Z .5, mean lp -1, R .1, mean lp_ref -1.2, weight 1: (.5 - 1 - 1.5 + 1.2)^2 = .64."""
    given = batch(0, groups=[1], width=2)
    given["mask"] = torch.ones(1, 2, dtype=torch.float64)
    given["logps"] = given["old_logps"] = torch.tensor([[-0.5, -1.5]], dtype=torch.float64)
    given["reference_logps"] = torch.tensor([[-1.0, -1.4]], dtype=torch.float64)
    given["advantages"] = torch.full((1, 2), 0.1, dtype=torch.float64)
    given["log_partition"] = torch.tensor([0.5], dtype=torch.float64)
    value, slope = value_and_slope(flowrl, given)
    assert value[0].tolist() == pytest.approx([0.64, 0.64])
    assert slope[0].tolist() == pytest.approx([-1.6, -1.6])  # 2 w e


def test_the_mean_over_rows_has_the_derivative_of_the_recipes_objective_in_log_probs_and_in_log_z():
    """By central differences, the importance weight held fixed."""
    given = batch(3, spread=0.3)
    mask = given["mask"]
    weight = ((given["logps"] - given["old_logps"]) * mask).sum(-1).exp().clamp(max=10.0)

    def objective(logps, log_z):
        drift = ((logps - given["reference_logps"]) * mask).sum(-1) / mask.sum(-1)
        return (weight * (log_z + drift - 2.0 * given["advantages"][:, 0]).square()).mean()

    leaf, log_z = given["logps"].clone().requires_grad_(), given["log_partition"].clone().requires_grad_()
    per_token = call(partial(flowrl, beta=2.0), given, logps=leaf, log_partition=log_z).per_token
    found = ((per_token * mask).sum(-1) / mask.sum(-1)).mean()
    found.backward()
    assert float(found.detach()) == pytest.approx(float(objective(given["logps"], given["log_partition"])), rel=1e-12)
    for n in range(len(mask)):
        nudge = torch.zeros_like(given["log_partition"])
        nudge[n] = 1e-5
        rise = objective(given["logps"], log_z.detach() + nudge) - objective(given["logps"], log_z.detach() - nudge)
        assert float(log_z.grad[n]) == pytest.approx(float(rise) / 2e-5, abs=1e-8)
        nudge = torch.zeros_like(mask)
        nudge[n, 0] = 1e-5
        rise = objective(given["logps"] + nudge, log_z.detach()) - objective(given["logps"] - nudge, log_z.detach())
        assert float(leaf.grad[n, 0]) == pytest.approx(float(rise) / 2e-5, abs=1e-8)


def test_balance_is_the_reference_tilted_by_the_reward():
    """One-token answers: with log Z = log E_ref exp(beta R), pi = ref exp(beta R) / Z has no error and no gradient."""
    reference = torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64)
    reward = torch.tensor([0.0, 1.0, 0.5], dtype=torch.float64)
    z = (reference * (2.0 * reward).exp()).sum()
    given = batch(0, groups=[3], width=1) | {"mask": torch.ones(3, 1, dtype=torch.float64)}
    given["reference_logps"] = reference.log().unsqueeze(-1)
    given["logps"] = given["old_logps"] = (reference * (2.0 * reward).exp() / z).log().unsqueeze(-1)
    given["advantages"], given["log_partition"] = reward.unsqueeze(-1), z.log().expand(3)
    value, slope = value_and_slope(partial(flowrl, beta=2.0), given)
    torch.testing.assert_close(value, torch.zeros_like(value), atol=1e-24, rtol=0)
    torch.testing.assert_close(slope, torch.zeros_like(slope), atol=1e-12, rtol=0)


def test_a_reward_without_a_scale_is_refused():
    with pytest.raises(UserError, match="flowrl: beta"):
        value_and_slope(partial(flowrl, beta=0.0), batch(1))
