"""CISPO: two-sided, without a floor, and in the unified form."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from loss_cases import (
    assert_f1,
    assert_policy_gradient_on_policy,
    assert_tokens,
    batch,
    built,
    slope_at,
    value_and_slope,
)

from crucible.algorithms.losses.cispo import cispo
from crucible.errors import UserError


def oracle(log_delta, a, logp, *, eps_low=0.2, eps_high=0.2, unified_mask=False):
    delta = math.exp(log_delta)
    weight = min(delta, 1 + eps_high)
    if eps_low is not None:
        weight = max(weight, 1 - eps_low)
    below = eps_low is not None and delta < 1 - eps_low
    if unified_mask and ((a > 0 and delta > 1 + eps_high) or (a < 0 and below)):
        weight = 0.0
    return -weight * a * logp, -weight * a


@pytest.mark.parametrize("name", ["cispo", "cispo_scalerl", "cispo_masked"])
def test_value_and_coefficient_in_every_region(name):
    assert_tokens(cispo, oracle, **built(name).keywords)


def test_the_unified_form_without_a_floor():
    assert_tokens(cispo, oracle, eps_low=None, eps_high=0.3, unified_mask=True)


def test_worked_numbers():
    assert_f1(
        built("cispo"), [0.345218, 0.693147, 1.109035, -0.345218, -1.109035], [-1.2, -1, -0.8, 1.2, 0.8], 0.138629
    )
    assert_f1(
        built("cispo_scalerl"),
        [0.431523, 0.693147, 0.693147, -0.431523, -0.693147],
        [-1.5, -1, -0.5, 1.5, 0.5],
        0.138629,
    )


@pytest.mark.parametrize(("edge", "outwards", "a"), [(math.log(0.8), -1e-9, -1.0), (math.log(1.2), 1e-9, 1.0)])
def test_on_the_bound_and_beyond_it(edge, outwards, a):
    bound, _ = slope_at(cispo, edge, a)
    banded = partial(cispo, **({"eps_low": 1.0 - bound} if outwards < 0 else {"eps_high": bound - 1.0}))
    masked = partial(banded, unified_mask=True)
    assert slope_at(banded, edge, a)[1] == slope_at(masked, edge, a)[1] == bound
    assert slope_at(banded, edge + outwards, a)[1] == pytest.approx(bound, rel=1e-15)
    assert slope_at(masked, edge + outwards, a)[1] == 0.0


def test_without_bounds_it_weighs_by_the_ratio():
    given = batch(7)
    _, slope = value_and_slope(partial(cispo, eps_low=None, eps_high=1e9), given)
    ratio = (given["logps"] - given["old_logps"]).exp()
    torch.testing.assert_close(slope, -given["advantages"] * ratio * given["mask"], rtol=1e-12, atol=0)


def test_it_starts_as_the_policy_gradient():
    assert_policy_gradient_on_policy(cispo)
    assert_policy_gradient_on_policy(partial(cispo, unified_mask=True))


def test_bounds_that_describe_no_clip_are_refused():
    with pytest.raises(UserError, match="cispo: eps_low"):
        value_and_slope(partial(cispo, eps_low=-0.2), batch(1))
