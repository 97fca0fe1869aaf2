"""GMPO: token log-ratios clipped one by one, then one ratio for the completion."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from loss_cases import (
    assert_f1_rows,
    assert_policy_gradient_on_policy,
    assert_rows,
    batch,
    ragged,
    slope_at,
    value_and_slope,
)

from crucible.algorithms.losses.gmpo import gmpo
from crucible.algorithms.losses.gspo import gspo
from crucible.errors import UserError


def oracle(rows, *, log_eps_low=0.4, log_eps_high=0.4):
    found = []
    for row in rows:
        clipped, moving = [], []
        for new, old, a in zip(row["logps"], row["old_logps"], row["advantages"], strict=True):
            move = new - old
            bound = min(move, log_eps_high) if a > 0 else max(move, -log_eps_low)
            clipped.append(bound)
            moving.append(bound == move)
        s = math.exp(math.fsum(clipped) / len(clipped)) if clipped else 1.0
        values = [-a * s for a in row["advantages"]]
        found.append((values, [v if free else 0.0 for v, free in zip(values, moving, strict=True)]))
    return found


@pytest.mark.parametrize("hyper", [{}, {"log_eps_low": 0.05, "log_eps_high": 0.1}])
@pytest.mark.parametrize("by_token", [False, True])
def test_value_and_coefficient_row_by_row(hyper, by_token):
    for given in [*ragged(by_token=by_token), batch(8, spread=1.0)]:
        assert_rows(gmpo, oracle, given, **hyper)


def test_worked_numbers():
    slopes = [[0.0, -0.151151, -0.151151], [0.250684, 0.0, 0.0]]
    assert_f1_rows(gmpo, [-0.906907, 1.002736], 0.047915, slopes)


@pytest.mark.parametrize(("edge", "outwards", "a"), [(-0.4, -1e-9, -1.0), (0.4, 1e-9, 1.0)])
def test_on_the_bound_and_beyond_it(edge, outwards, a):
    assert slope_at(gmpo, edge, a)[1] == pytest.approx(math.exp(edge), rel=1e-15)
    assert slope_at(gmpo, edge + outwards, a)[1] == 0.0
    assert slope_at(gmpo, -edge - outwards, a)[1] == pytest.approx(math.exp(-edge), rel=1e-8)  # the other side is free


def test_without_clipping_it_is_gspo_without_clipping():
    given = batch(5, spread=1.0)
    free = value_and_slope(partial(gmpo, log_eps_low=50.0, log_eps_high=50.0), given)
    for a, b in zip(free, value_and_slope(partial(gspo, eps_low=1.0, eps_high=1e9), given), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=0)


def test_it_starts_as_the_policy_gradient():
    assert_policy_gradient_on_policy(gmpo)


def test_bounds_on_the_wrong_side_are_refused():
    with pytest.raises(UserError, match="gmpo: log_eps_low"):
        value_and_slope(partial(gmpo, log_eps_low=-0.4), batch(1))
