"""Every loss against the paper's table, value and coefficient on grad log pi, in every region."""

from __future__ import annotations

import math
from functools import partial

import loss_oracle
import pytest
import torch
from loss_cases import ALL_LOSSES, TOKEN_LOSSES, random_batch, value_and_slope

from crucible.algorithms.losses.ce_gppo import ce_gppo
from crucible.algorithms.losses.cispo import cispo
from crucible.algorithms.losses.gspo import gspo
from crucible.algorithms.losses.ppo_clip import ppo_clip

ONE = torch.ones(1, 1, dtype=torch.float64)


RATIOS = [0.05, 0.5, 0.7999999, 0.8000001, 0.9, 1.1, 1.1999999, 1.2000001, 1.25, 1.5, 4.0, 9.0, 11.0, 300.0]
ADVANTAGES = [-2.5, -1.0, 0.0, 0.3, 1.0]


@pytest.mark.parametrize("name", TOKEN_LOSSES)
def test_value_and_coefficient_in_every_region(name):
    function, hyper = TOKEN_LOSSES[name]
    oracle = getattr(loss_oracle, function.__name__)
    for old_logp in (-0.1, -4.0):
        for log_delta in [math.log(ratio) for ratio in RATIOS]:
            for advantage in ADVANTAGES:
                logp = old_logp + log_delta
                value, slope = value_and_slope(ALL_LOSSES[name], ONE * logp, ONE * old_logp, ONE * advantage, ONE)
                expected, coefficient = oracle(logp - old_logp, advantage, logp, **hyper)
                assert float(value) == pytest.approx(expected, rel=1e-12, abs=1e-14)
                assert float(slope) == pytest.approx(-coefficient * advantage, rel=1e-12, abs=1e-14)


def slope_at(loss, log_delta, advantage):
    """(ratio, coefficient F) of one token."""
    _, slope = value_and_slope(loss, ONE * log_delta, ONE * 0.0, ONE * advantage, ONE)
    return float((ONE * log_delta).exp()), float(slope) / -advantage


# 1 - ratio and ratio - 1 are exact between 1/2 and 2, so these bounds are met to the last bit
LOWER, UPPER, DUAL = math.log(0.8), math.log(1.2), math.log(5.0)


@pytest.mark.parametrize(
    ("loss", "beyond_lower", "beyond_upper"),
    [
        (ppo_clip, lambda bound: 0.0, lambda bound: 0.0),
        (partial(ce_gppo, beta1=0.5, beta2=0.75), lambda bound: 0.5 * bound, lambda bound: 0.75 * bound),
        (cispo, lambda bound: bound, lambda bound: bound),
    ],
)
def test_a_ratio_exactly_on_a_bound_is_inside_and_the_next_number_is_not(loss, beyond_lower, beyond_upper):
    for edge, outwards, advantage, beyond in (
        (LOWER, -1e-9, -1.0, beyond_lower),
        (UPPER, 1e-9, 1.0, beyond_upper),
    ):
        bound = float((ONE * edge).exp())
        banded = partial(loss, **({"eps_low": 1.0 - bound} if edge == LOWER else {"eps_high": bound - 1.0}))
        ratio, coefficient = slope_at(banded, edge, advantage)
        assert ratio == bound
        assert coefficient == ratio
        ratio, coefficient = slope_at(banded, edge + outwards, advantage)
        assert ratio != bound
        assert coefficient == pytest.approx(beyond(bound), rel=1e-15)


@pytest.mark.parametrize("loss", [ppo_clip, ce_gppo])
def test_a_ratio_exactly_on_the_dual_clip_is_inside_and_the_next_number_is_not(loss):
    capped = partial(loss, dual_clip=float((ONE * DUAL).exp()))
    ratio, coefficient = slope_at(capped, DUAL, -1.0)
    assert coefficient == ratio
    assert slope_at(capped, DUAL + 1e-9, -1.0)[1] == 0.0


@pytest.mark.parametrize("advantage", [0.0, -0.0])
@pytest.mark.parametrize("name", TOKEN_LOSSES)
def test_zero_advantage_has_no_gradient_anywhere(name, advantage):
    for ratio in RATIOS:
        _, slope = value_and_slope(ALL_LOSSES[name], ONE * math.log(ratio), ONE * 0, ONE * advantage, ONE)
        assert float(slope) == 0.0


@pytest.mark.parametrize("eps", [(3e-4, 4e-4), (0.2, 0.2)])
def test_gspo_row_by_row(eps):
    hyper = {"eps_low": eps[0], "eps_high": eps[1]}
    seen = set()
    for seed in range(8):
        logps, old, advantages, mask = random_batch(seed, spread=0.25)
        value, slope = value_and_slope(lambda *tensors: gspo(*tensors, **hyper), logps, old, advantages, mask)
        for row in range(len(mask)):
            n = int(mask[row].sum())
            deltas = [float(logps[row, t] - old[row, t]) for t in range(n)]
            advantage = float(advantages[row, 0])
            expected, coefficient = loss_oracle.gspo_row(deltas, advantage, **hyper)
            seen.add((advantage > 0, coefficient == 0.0))
            for t in range(n):
                assert float(value[row, t]) == pytest.approx(expected, rel=1e-12)
                assert float(slope[row, t]) == pytest.approx(-coefficient * advantage, rel=1e-12, abs=1e-14)
            assert torch.all(slope[row, n:] == 0)
    assert len(seen) == 4  # both signs, clipped and not
