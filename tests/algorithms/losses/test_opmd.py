"""Kimi's mirror descent: a squared error for each completion."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from loss_cases import F1, assert_rows, batch, built, call, ragged, value_and_slope

from crucible.algorithms.losses.opmd import opmd
from crucible.errors import UserError


def oracle(rows, *, tau=0.1):
    found = []
    for row in rows:
        n = len(row["logps"])
        q = math.fsum(row["logps"]) - math.fsum(row["old_logps"])
        error = (math.fsum(row["advantages"]) / n if n else 0.0) - tau * q
        found.append(([error**2] * n, [-2 * tau * error * n] * n))
    return found


@pytest.mark.parametrize("hyper", [{}, {"tau": 1.0}])
@pytest.mark.parametrize("by_token", [False, True])
def test_value_and_derivative_row_by_row(hyper, by_token):
    for given in ragged(by_token=by_token):
        assert_rows(opmd, oracle, given, **hyper)


def test_worked_by_hand():
    """F1: log-ratios .75 of both rows; (1 - tau ln .75)^2 and (-1 - tau ln .75)^2."""
    value, _ = value_and_slope(built("opmd", tau=1.0), F1)
    q = math.log(0.75)
    assert value[:, 0].tolist() == pytest.approx([(1 - q) ** 2, (1 + q) ** 2])


def test_the_mean_over_rows_has_the_derivative_of_the_papers_objective():
    """By central differences on mean_i (A_i - tau log pi(y_i) / pi_old(y_i))^2 itself."""
    given = batch(3)
    mask, a = given["mask"], given["advantages"][:, 0]

    def objective(logps):
        return (a - 0.3 * ((logps - given["old_logps"]) * mask).sum(-1)).square().mean()

    leaf = given["logps"].clone().requires_grad_()
    per_token = call(partial(opmd, tau=0.3), given, logps=leaf).per_token
    found = ((per_token * mask).sum(-1) / mask.sum(-1)).mean()
    found.backward()
    assert float(found.detach()) == pytest.approx(float(objective(given["logps"])), rel=1e-12)
    for n, t in mask.nonzero().tolist():
        nudge = torch.zeros_like(mask)
        nudge[n, t] = 1e-5
        rise = float(objective(given["logps"] + nudge) - objective(given["logps"] - nudge)) / 2e-5
        assert float(leaf.grad[n, t]) == pytest.approx(rise, abs=1e-9)


def test_on_policy_it_is_the_policy_gradient_times_two_tau():
    given = batch(4, spread=0.0)
    _, slope = value_and_slope(partial(opmd, tau=0.1), given)
    length = given["mask"].sum(-1, keepdim=True)
    torch.testing.assert_close(slope, -0.2 * length * given["advantages"] * given["mask"])


def test_no_pull_is_refused():
    with pytest.raises(UserError, match="opmd: tau"):
        value_and_slope(partial(opmd, tau=0.0), batch(1))
