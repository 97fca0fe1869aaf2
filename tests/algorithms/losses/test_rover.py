"""ROVER: the Bellman error of a uniformly random policy."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from loss_cases import assert_rows, batch, call, ragged, value_and_slope

from crucible.algorithms.losses.rover import rover
from crucible.errors import UserError


def oracle(rows, *, rho=1.0):
    found = []
    for row in rows:
        values, slopes = [], []
        length = len(row["logps"])
        for t in range(length):
            target = row["advantages"][t]
            if t + 1 < length:
                target += row["uniform"][t + 1] - row["old_uniform"][t + 1]
            error = rho * (row["logps"][t] - row["old_logps"][t]) - target
            values.append(error**2)
            slopes.append(2 * rho * error)
        found.append((values, slopes))
    return found


@pytest.mark.parametrize("hyper", [{}, {"rho": 0.3}])
@pytest.mark.parametrize("by_token", [False, True])
def test_value_and_derivative_token_by_token(hyper, by_token):
    for given in ragged(by_token=by_token):
        assert_rows(rover, oracle, given, **hyper)


def test_worked_numbers():
    """Two tokens, vocabulary of two: old .5 / .5, new .8 / .2, both times the first is drawn, advantage .5."""
    given = batch(0, groups=[1], width=2)
    given["mask"] = torch.ones_like(given["mask"])
    for name, number in [
        ("logps", math.log(0.8)),
        ("old_logps", math.log(0.5)),
        ("uniform", (math.log(0.8) + math.log(0.2)) / 2),
        ("old_uniform", math.log(0.5)),
        ("advantages", 0.5),
    ]:
        given[name] = torch.full_like(given["mask"], number)
    value, _ = value_and_slope(rover, given)
    assert float(value.mean()) == pytest.approx(0.019103, abs=1e-6)
    assert call(rover, given).diagnostics["next_value"][0].tolist() == pytest.approx([-0.223144, 0.0], abs=1e-6)


def test_the_target_is_fixed():
    given = batch(4)
    leaf = given["uniform"].clone().requires_grad_()
    per_token = call(rover, given, uniform=leaf, logps=given["logps"].clone().requires_grad_()).per_token
    (per_token * given["mask"]).sum().backward()
    assert leaf.grad is None


def test_on_policy_it_is_the_policy_gradient_times_two_rho():
    given = batch(5, spread=0.0)
    given["uniform"] = given["old_uniform"]
    _, slope = value_and_slope(partial(rover, rho=0.5), given)
    torch.testing.assert_close(slope, -given["advantages"] * given["mask"])


def test_a_scale_of_zero_is_refused():
    with pytest.raises(UserError, match="rover: rho"):
        value_and_slope(partial(rover, rho=0.0), batch(1))
