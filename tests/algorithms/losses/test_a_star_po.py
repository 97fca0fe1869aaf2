"""A*-PO: the optimal value of a group and the squared error of each completion."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from loss_cases import assert_rows, batch, ragged, value_and_slope

from crucible.algorithms.losses.a_star_po import a_star_po
from crucible.errors import UserError


def optimal_value(rewards, beta1):
    return beta1 * math.log(math.fsum(math.exp(r / beta1) for r in rewards) / len(rewards))


def oracle(rows, *, beta1=0.5, beta2=1e-3):
    found = []
    for row in rows:
        n = len(row["logps"])
        mates = [other["rewards"] for other in rows if other["group"] == row["group"] and other["logps"]]
        if not n:
            found.append(([], []))
            continue
        drift = math.fsum(row["logps"]) - math.fsum(row["reference_logps"])
        error = beta2 * drift - row["rewards"] + optimal_value(mates, beta1)
        found.append(([error**2] * n, [2 * beta2 * error * n] * n))
    return found


@pytest.mark.parametrize("hyper", [{}, {"beta1": 0.05, "beta2": 0.5}, {"beta1": 100.0}])
def test_value_and_derivative_row_by_row(hyper):
    for given in ragged():
        assert_rows(a_star_po, oracle, given, **hyper)


def example():
    given = batch(0, groups=[4], width=2)
    given["mask"] = torch.ones_like(given["mask"])
    given["rewards"] = torch.tensor([1.0, 0.0, 0.0, 1.0], dtype=torch.float64)
    given["reference_logps"] = given["logps"] - 1.0  # log-ratio 2 over two tokens
    return given


def test_worked_numbers():
    assert optimal_value([1, 0, 0, 1], 0.5) == pytest.approx(0.716890, abs=1e-6)
    value, slope = value_and_slope(a_star_po, example())
    assert float(value[0, 0]) == pytest.approx(0.079023, abs=1e-6)  # (.002 - .283110)^2
    assert float(slope[0, 0]) == pytest.approx(2 * 1e-3 * (0.002 - 0.283110) * 2, abs=1e-8)


def test_equal_rewards_and_groups_of_one_want_no_change():
    given = batch(5, groups=(1, 3)) | {"rewards": torch.full((4,), 2.5, dtype=torch.float64)}
    given["reference_logps"] = given["logps"]
    value, slope = value_and_slope(a_star_po, given)
    torch.testing.assert_close(value * given["mask"], torch.zeros_like(value), atol=1e-24, rtol=0)
    torch.testing.assert_close(slope, torch.zeros_like(slope), atol=1e-14, rtol=0)


def test_large_rewards_do_not_overflow():
    given = example()
    given["rewards"] = given["rewards"] * 1e4
    assert value_and_slope(a_star_po, given)[0].isfinite().all()


def test_the_advantage_is_not_read():
    given = example()
    expected = value_and_slope(a_star_po, given)
    given["advantages"] = torch.full_like(given["advantages"], 7.0)
    for a, b in zip(value_and_slope(a_star_po, given), expected, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_a_temperature_of_zero_is_refused():
    with pytest.raises(UserError, match="a_star_po: beta1"):
        value_and_slope(partial(a_star_po, beta1=0.0), batch(1))
