"""VESPO: a smooth weight of the completion's ratio."""

from __future__ import annotations

import math
from functools import partial

import pytest
from loss_cases import (
    assert_f1,
    assert_policy_gradient_on_policy,
    assert_rows,
    batch,
    built,
    ragged,
    slope_at,
    value_and_slope,
)

from crucible.algorithms.losses.vespo import vespo
from crucible.errors import UserError


def oracle(rows, *, k_positive=2.0, lambda_positive=3.0, k_negative=3.0, lambda_negative=2.0):
    found = []
    for row in rows:
        w = 1.0
        for new, old in zip(row["logps"], row["old_logps"], strict=True):
            w *= math.exp(new - old)
        values, slopes = [], []
        for logp, a in zip(row["logps"], row["advantages"], strict=True):
            k, lam = (k_positive, lambda_positive) if a >= 0 else (k_negative, lambda_negative)
            phi = math.exp(lam * (1 - w)) * w**k
            values.append(-phi * a * logp)
            slopes.append(-phi * a)
        found.append((values, slopes))
    return found


@pytest.mark.parametrize("hyper", [{}, {"k_positive": 1.0, "lambda_negative": 0.5}])
@pytest.mark.parametrize("by_token", [False, True])
def test_value_and_coefficient_row_by_row(hyper, by_token):
    for given in ragged(by_token=by_token):
        assert_rows(vespo, oracle, given, **hyper)


def test_the_numbers_in_the_yaml_are_those_of_the_oracle():
    assert_rows(vespo, oracle, batch(3), **built("vespo").keywords)


def test_worked_numbers():
    values = [0.342575, 0.825408, 1.650817, -0.200098, -0.964243]
    assert_f1(vespo, values, [-1.190813] * 3 + [0.695554] * 2, 0.330892)


def test_the_weight_is_largest_at_k_over_lambda_and_vanishes_at_both_ends():
    for a, peak in ((1.0, 2 / 3), (-1.0, 3 / 2)):
        at = [slope_at(vespo, math.log(peak * x), a)[1] for x in (0.98, 1.0, 1.02)]
        assert at[1] == max(at)
        assert slope_at(vespo, -18.0, a)[1] < 1e-12
        assert slope_at(vespo, 6.0, a)[1] < 1e-300


def test_it_starts_as_the_policy_gradient():
    assert_policy_gradient_on_policy(vespo)


def test_a_weight_without_a_peak_is_refused():
    with pytest.raises(UserError, match="vespo: lambda_negative"):
        value_and_slope(partial(vespo, lambda_negative=0.0), batch(1))
