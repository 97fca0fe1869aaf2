"""PPO's clip, clip-higher and the dual clip."""

from __future__ import annotations

import math
from functools import partial

import pytest
from loss_cases import (
    F1,
    assert_f1,
    assert_policy_gradient_on_policy,
    assert_tokens,
    batch,
    built,
    slope_at,
    tokens,
    totals,
    value_and_slope,
)

from crucible.algorithms.aggregation.seq_mean_token_mean import seq_mean_token_mean
from crucible.algorithms.aggregation.seq_mean_token_sum import seq_mean_token_sum
from crucible.algorithms.aggregation.seq_mean_token_sum_norm import seq_mean_token_sum_norm
from crucible.algorithms.aggregation.token_mean import token_mean
from crucible.algorithms.aggregation.token_sum import token_sum
from crucible.algorithms.losses.ppo_clip import ppo_clip
from crucible.errors import UserError


def oracle(log_delta, a, logp, *, eps_low=0.2, eps_high=0.2, dual_clip=None):
    """The cells of the table: sign of A x side of the band."""
    delta = math.exp(log_delta)
    if a > 0 and delta > 1 + eps_high:
        return -a * (1 + eps_high), 0.0
    if a < 0 and delta < 1 - eps_low:
        return -a * (1 - eps_low), 0.0
    if a < 0 and dual_clip is not None and delta > dual_clip:
        return -a * dual_clip, 0.0
    return -a * delta, -a * delta


@pytest.mark.parametrize(
    "hyper",
    [{}, {"eps_high": 0.28}, {"eps_high": 0.28, "dual_clip": 10.0}, {"eps_low": 0.5, "dual_clip": 3.0}],
)
def test_value_and_coefficient_in_every_region(hyper):
    assert_tokens(ppo_clip, oracle, **hyper)


@pytest.mark.parametrize("name", ["ppo_clip", "clip_higher", "dual_clip", "two_sided_clip", "unclipped"])
def test_the_numbers_in_the_yaml_are_those_of_the_oracle(name):
    hyper = {k: v for k, v in built(name).keywords.items()}
    assert_tokens(ppo_clip, oracle, **hyper)


def test_worked_numbers():
    assert_f1(built("ppo_clip"), [-1.2, -1, -0.5, 1.5, 0.8], [0, -1, -0.5, 1.5, 0], -0.08)
    assert_f1(built("clip_higher"), [-1.28, -1, -0.5, 1.5, 0.8], [0, -1, -0.5, 1.5, 0], -0.096)
    assert_f1(built("unclipped"), [-1.5, -1, -0.5, 1.5, 0.5], [-1.5, -1, -0.5, 1.5, 0.5], -0.2)


@pytest.mark.parametrize(
    ("aggregate", "expected"),
    [
        (token_mean, -0.08),
        (token_sum, -0.4),
        (seq_mean_token_mean, 0.125),
        (seq_mean_token_sum, -0.2),
        (seq_mean_token_sum_norm, -0.2 / 3),
    ],
)
def test_worked_numbers_of_the_aggregations(aggregate, expected):
    value, _ = value_and_slope(ppo_clip, F1)
    assert float(aggregate(value, F1["mask"], totals(F1["mask"], 3))) == pytest.approx(expected)


def two_sided(delta, a, *, eps, cap):
    """INTELLECT-2 as it is written: -min(min(delta, cap) A, clip(delta, 1 - eps, 1 + eps) A)."""
    return -min(min(delta, cap) * a, min(max(delta, 1 - eps), 1 + eps) * a)


def test_the_two_sided_clip_is_the_dual_clip():
    loss = built("two_sided_clip")
    for ratio in (0.05, 0.79, 0.81, 1.0, 1.19, 1.21, 3.9, 4.1, 6.0, 300.0):
        for a in (-2.0, -1.0, 0.5, 2.0):
            value, slope = value_and_slope(loss, tokens([math.log(ratio)], [a], [-0.1]))
            assert float(value) == pytest.approx(two_sided(ratio, a, eps=0.2, cap=4.0), rel=1e-12)
            step = 1e-6 * ratio
            rise = two_sided(ratio + step, a, eps=0.2, cap=4.0) - two_sided(ratio - step, a, eps=0.2, cap=4.0)
            assert float(slope) == pytest.approx(ratio * rise / (2 * step), abs=1e-6)
    value, slope = value_and_slope(loss, tokens([math.log(6.0)], [-1.0], [-0.1]))
    assert (float(value), float(slope)) == pytest.approx((4.0, 0.0))


@pytest.mark.parametrize(
    ("ratio", "dual_clip", "value", "slope"),
    [(4.0, 3.0, 3.0, 0.0), (4.0, None, 4.0, 4.0), (4.0, 10.0, 4.0, 4.0)],
)
def test_dual_clip_of_a_bad_token(ratio, dual_clip, value, slope):
    found = value_and_slope(partial(ppo_clip, dual_clip=dual_clip), tokens([math.log(ratio)], [-1.0], [0.0]))
    assert [float(x) for x in found] == pytest.approx([value, slope])


# 1 - ratio and ratio - 1 are exact between 1/2 and 2, so these bounds are met to the last bit
LOWER, UPPER, DUAL = math.log(0.8), math.log(1.2), math.log(5.0)


@pytest.mark.parametrize(("edge", "outwards", "a"), [(LOWER, -1e-9, -1.0), (UPPER, 1e-9, 1.0)])
def test_a_ratio_exactly_on_a_bound_is_inside_and_the_next_number_is_not(edge, outwards, a):
    bound, _ = slope_at(ppo_clip, edge, a)
    banded = partial(ppo_clip, **({"eps_low": 1.0 - bound} if edge == LOWER else {"eps_high": bound - 1.0}))
    assert slope_at(banded, edge, a) == (bound, bound)
    assert slope_at(banded, edge + outwards, a)[1] == 0.0


def test_a_ratio_exactly_on_the_dual_clip_is_inside_and_the_next_number_is_not():
    bound, _ = slope_at(ppo_clip, DUAL, -1.0)
    capped = partial(ppo_clip, dual_clip=bound)
    assert slope_at(capped, DUAL, -1.0) == (bound, bound)
    assert slope_at(capped, DUAL + 1e-9, -1.0)[1] == 0.0


@pytest.mark.parametrize(("log_delta", "a"), [(25.0, -1.0), (-25.0, 1.0)])
def test_an_unclipped_ratio_is_bounded_with_no_gradient_beyond(log_delta, a):
    value, slope = value_and_slope(ppo_clip, tokens([log_delta], [a], [0.0]))
    assert float(value) == pytest.approx(-a * math.exp(math.copysign(20.0, log_delta)))
    assert float(slope) == 0.0


def test_it_starts_as_the_policy_gradient():
    assert_policy_gradient_on_policy(ppo_clip)


@pytest.mark.parametrize(
    ("hyper", "word"), [({"eps_low": 1.5}, "eps_low"), ({"eps_high": -0.1}, "eps_high"), ({"dual_clip": 1.0}, "dual")]
)
def test_bounds_that_describe_no_clip_are_refused(hyper, word):
    given = batch(1)
    with pytest.raises(UserError, match=f"ppo_clip: {word}"):
        value_and_slope(partial(ppo_clip, **hyper), given)
