"""Reg-GRPO: normalised log-ratios against normalised rewards."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from loss_cases import assert_rows, batch, call, ragged, value_and_slope

from crucible.algorithms.losses.reg_grpo import reg_grpo
from crucible.errors import UserError


def oracle(rows, *, eps=0.01):
    """The Jacobian of z, entry by entry: the quotient rule on (q_i - mean) / sqrt(var + eps^2)."""
    found = [([], [])] * len(rows)
    for g in {row["group"] for row in rows}:
        members = [i for i, row in enumerate(rows) if row["group"] == g and row["logps"]]
        size = len(members)
        q = [math.fsum(rows[i]["logps"]) - math.fsum(rows[i]["old_logps"]) for i in members]
        a = [math.fsum(rows[i]["advantages"]) / len(rows[i]["logps"]) for i in members]
        d = [x - math.fsum(q) / size for x in q]
        s = math.sqrt((math.fsum(x * x for x in d) / (size - 1) if size > 1 else 0.0) + eps**2)
        for k, j in enumerate(members):
            slope = 0.0
            for i in range(size):
                ds = d[k] / ((size - 1) * s) if size > 1 else 0.0
                dz = ((i == k) - 1 / size) / s - d[i] * ds / s**2
                slope += 2 * (d[i] / s - a[i]) * dz
            n = len(rows[j]["logps"])
            found[j] = ([(a[k] - d[k] / s) ** 2] * n, [slope * n] * n)
    return found


@pytest.mark.parametrize("hyper", [{}, {"eps": 0.5}, {"eps": 1e-4}])
@pytest.mark.parametrize("by_token", [False, True])
def test_value_and_derivative_row_by_row(hyper, by_token):
    for given in ragged(by_token=by_token):
        assert_rows(reg_grpo, oracle, given, **hyper)


def example():
    """R = [1, 0, 0, 1] and q = [1.2, .8, 1, 1]."""
    given = batch(0, groups=[4], width=1)
    given["logps"] = given["old_logps"] + torch.tensor([[1.2], [0.8], [1.0], [1.0]], dtype=torch.float64)
    a = 0.866025403784
    given["advantages"] = torch.tensor([[a], [-a], [-a], [a]], dtype=torch.float64)
    return given


def test_worked_numbers():
    value, _ = value_and_slope(partial(reg_grpo, eps=1e-7), example())
    z = torch.tensor([1.224745, -1.224745, 0.0, 0.0], dtype=torch.float64)
    torch.testing.assert_close(value[:, 0], (example()["advantages"][:, 0] - z).square(), atol=1e-6, rtol=0)
    assert float(value.mean()) == pytest.approx(0.439340, abs=1e-6)


def test_the_mean_over_rows_has_the_derivative_of_the_papers_objective():
    given = batch(3, groups=(3, 4))
    mask, group, a = given["mask"], given["group"], given["advantages"][:, 0]

    def objective(logps):
        q = ((logps - given["old_logps"]) * mask).sum(-1)
        errors = [((x := q[group == g]) - x.mean()) / (x.var() + 0.04).sqrt() - a[group == g] for g in group.unique()]
        return torch.cat(errors).square().mean()

    leaf = given["logps"].clone().requires_grad_()
    per_token = call(partial(reg_grpo, eps=0.2), given, logps=leaf).per_token
    found = ((per_token * mask).sum(-1) / mask.sum(-1)).mean()
    found.backward()
    assert float(found.detach()) == pytest.approx(float(objective(given["logps"])), rel=1e-12)
    for n, t in mask.nonzero().tolist():
        nudge = torch.zeros_like(mask)
        nudge[n, t] = 1e-5
        rise = float(objective(given["logps"] + nudge) - objective(given["logps"] - nudge)) / 2e-5
        assert float(leaf.grad[n, t]) == pytest.approx(rise, abs=1e-8)


def test_the_first_update_is_the_policy_gradient_times_two_over_eps():
    given = example()
    given["logps"] = given["old_logps"].clone()
    _, slope = value_and_slope(partial(reg_grpo, eps=0.05), given)
    torch.testing.assert_close(slope, -40.0 * given["advantages"])


def test_a_group_of_one_has_no_gradient():
    given = batch(4, groups=(1, 1), spread=1.0)
    assert torch.all(value_and_slope(reg_grpo, given)[1] == 0)


def test_no_guard_is_refused():
    with pytest.raises(UserError, match="reg_grpo: eps"):
        value_and_slope(partial(reg_grpo, eps=0.0), batch(1))
