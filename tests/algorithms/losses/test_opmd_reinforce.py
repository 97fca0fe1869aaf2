"""Simple OPMD: REINFORCE over 1 + tau."""

from __future__ import annotations

from functools import partial

import pytest
from loss_cases import F1, assert_f1, assert_tokens, value_and_slope

from crucible.algorithms.losses.opmd_reinforce import opmd_reinforce
from crucible.errors import UserError


def oracle(log_delta, a, logp, *, tau=1.0):
    return -a * logp / (1 + tau), -a / (1 + tau)


@pytest.mark.parametrize("hyper", [{}, {"tau": 0.25}, {"tau": 0.0}])
def test_value_and_coefficient_do_not_depend_on_the_ratio(hyper):
    assert_tokens(opmd_reinforce, oracle, **hyper)


def test_worked_numbers():
    """Half of the catalogue's REINFORCE row."""
    values = [x / 2 for x in (0.287682, 0.693147, 1.386294, -0.287682, -1.386294)]
    assert_f1(opmd_reinforce, values, [-0.5, -0.5, -0.5, 0.5, 0.5], 0.138629 / 2)


def test_a_negative_pull_is_refused():
    with pytest.raises(UserError, match="opmd_reinforce: tau"):
        value_and_slope(partial(opmd_reinforce, tau=-1.0), F1)
