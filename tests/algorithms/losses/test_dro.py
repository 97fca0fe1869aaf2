"""DRO, and Kimi's mirror descent token by token."""

from __future__ import annotations

from functools import partial

import pytest
from loss_cases import (
    assert_f1,
    assert_policy_gradient_on_policy,
    assert_tokens,
    batch,
    built,
    tokens,
    value_and_slope,
)

from crucible.algorithms.losses.dro import dro
from crucible.errors import UserError


def oracle(log_delta, a, logp, *, beta=0.5):
    return beta / 2 * log_delta**2 - a * logp, beta * log_delta - a


@pytest.mark.parametrize("name", ["dro", "opmd_token"])
def test_value_and_derivative_everywhere(name):
    assert_tokens(dro, oracle, **built(name).keywords)


def test_worked_numbers():
    values = [0.328783, 0.693147, 1.506408, -0.246582, -1.266181]
    slopes = [-0.797267, -1, -1.346574, 1.202733, 0.653426]
    assert_f1(partial(dro, beta=0.5), values, slopes, 0.203115)


@pytest.mark.parametrize("a", [-1.0, 0.0, 2.0])
def test_a_token_stops_where_the_log_ratio_is_a_over_beta(a):
    for extra, direction in ((-0.1, -1), (0.0, 0), (0.1, 1)):
        _, slope = value_and_slope(partial(dro, beta=0.5), tokens([a / 0.5 + extra], [a], [-9.0]))
        assert float(slope) == pytest.approx(0.05 * direction)


def test_it_starts_as_the_policy_gradient():
    assert_policy_gradient_on_policy(dro)


def test_no_pull_is_refused():
    with pytest.raises(UserError, match="dro: beta"):
        value_and_slope(partial(dro, beta=0.0), batch(1))
