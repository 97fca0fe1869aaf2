"""CE-GPPO with moving betas."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from loss_cases import assert_rows, batch, built, ragged, tokens, value_and_slope

from crucible.algorithms.losses.ce_gppo import ce_gppo
from crucible.algorithms.losses.ce_gppo_scheduled import ce_gppo_scheduled
from crucible.errors import UserError


def oracle(
    rows, *, beta1_start=0.0, beta1_end=0.5, beta2_start=1.0, beta2_end=1.0, start=0.5, end=0.5, eps_low=0.2,
    eps_high=0.2, dual_clip=10.0,
):  # fmt: skip
    def between(first, last, at):
        if at >= end:
            return last
        if at < start:
            return first
        return first * (end - at) / (end - start) + last * (at - start) / (end - start)

    found = []
    for row in rows:
        beta1 = between(beta1_start, beta1_end, row["progress"])
        beta2 = between(beta2_start, beta2_end, row["progress"])
        values, slopes = [], []
        for logp, old, a in zip(row["logps"], row["old_logps"], row["advantages"], strict=True):
            delta = math.exp(logp - old)
            weight, moving = delta, True
            if a > 0 and delta > 1 + eps_high:
                weight = beta2 * (1 + eps_high)
            elif a < 0 and delta < 1 - eps_low:
                weight = beta1 * (1 - eps_low)
            elif a < 0 and delta > dual_clip:
                weight, moving = dual_clip, False
            values.append(-a * weight)
            slopes.append(-a * weight if moving else 0.0)
        found.append((values, slopes))
    return found


@pytest.mark.parametrize("progress", [0.0, 0.2, 0.25, 0.3, 0.5, 0.7499, 0.75, 1.0])
@pytest.mark.parametrize("hyper", [{}, {"start": 0.25, "end": 0.75, "beta2_end": 0.5}, {"start": 0.0, "end": 1.0}])
def test_value_and_coefficient_along_the_run(progress, hyper):
    for given in [*ragged(by_token=True), batch(9, spread=2.0)]:
        assert_rows(ce_gppo_scheduled, oracle, given | {"progress": progress}, **hyper)


def test_before_during_and_after():
    """A token of NA&LP: its coefficient is beta1 (1 - eps_low)."""
    ramp = built("ce_gppo_scheduled", start=0.2, end=0.6)
    token = tokens([math.log(0.5)], [-1.0], [-0.1])
    for progress, beta1 in [(0.0, 0.0), (0.2, 0.0), (0.3, 0.125), (0.4, 0.25), (0.6, 0.5), (1.0, 0.5)]:
        _, slope = value_and_slope(ramp, token | {"progress": progress})
        assert float(slope) == pytest.approx(0.8 * beta1)


def test_a_jump_belongs_to_its_second_half():
    token = tokens([math.log(0.5)], [-1.0], [-0.1])
    for progress, expected in [(0.4999, 0.0), (0.5, 0.4)]:
        assert float(value_and_slope(ce_gppo_scheduled, token | {"progress": progress})[1]) == pytest.approx(expected)


def test_equal_betas_are_ce_gppo():
    given = batch(4, spread=1.0)
    found = value_and_slope(partial(ce_gppo_scheduled, beta1_start=0.5), given)
    for a, b in zip(found, value_and_slope(ce_gppo, given), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


@pytest.mark.parametrize("hyper", [{"start": 0.6}, {"end": 1.5}, {"start": -0.1}])
def test_a_schedule_out_of_order_is_refused(hyper):
    with pytest.raises(UserError, match="ce_gppo_scheduled: start"):
        value_and_slope(partial(ce_gppo_scheduled, **hyper), batch(1))
