"""A-LoL and its variants."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from loss_cases import assert_rows, batch, ragged, value_and_slope

from crucible.algorithms.losses.a_lol import a_lol
from crucible.errors import UserError


def oracle(rows, *, variant="full", eps=0.9, beta=0.1):
    def clip(ratio):
        return min(max(ratio, 1 - eps), 1 + eps)

    found = []
    for row in rows:
        drift = [new - old for new, old in zip(row["logps"], row["reference_logps"], strict=True)]
        values, slopes = [], []
        for logp, moved, a in zip(row["logps"], drift, row["advantages"], strict=True):
            weight = {"full": clip(math.exp(math.fsum(drift))), "sequence": clip(math.exp(moved))}.get(variant, 1.0)
            pull = beta if variant == "kl" else 0.0
            values.append(-weight * a * logp + pull * moved if a > 0 else 0.0)
            slopes.append(-weight * a + pull if a > 0 else 0.0)
        found.append((values, slopes))
    return found


@pytest.mark.parametrize("variant", ["full", "sequence", "reference_free", "kl"])
@pytest.mark.parametrize("hyper", [{}, {"eps": 0.1, "beta": 1.5}])
def test_value_and_coefficient_row_by_row(variant, hyper):
    for given in [*ragged(), *ragged(by_token=True), batch(8, spread=2.0)]:
        assert_rows(a_lol, oracle, given, variant=variant, **hyper)


def one_token(log_ratio, logp=-1.0, a=1.0):
    given = batch(0, groups=[1], width=1)
    given["logps"] = torch.full_like(given["logps"], logp)
    given["reference_logps"] = given["logps"] - log_ratio
    given["advantages"] = torch.full_like(given["logps"], a)
    return given


def test_worked_numbers():
    """Ratios .05, .75, 3 clip to .1, .75, 1.9; NLL 9.8 against 10 with A = .3 costs 3.590924."""
    for ratio, weight in [(0.05, 0.1), (0.75, 0.75), (3.0, 1.9)]:
        assert float(value_and_slope(a_lol, one_token(math.log(ratio)))[1]) == pytest.approx(-weight)
    value, _ = value_and_slope(a_lol, one_token(0.2, logp=-9.8, a=0.3))
    assert float(value) == pytest.approx(3.590924, abs=1e-6)


@pytest.mark.parametrize("variant", ["full", "sequence", "reference_free", "kl"])
def test_without_a_positive_advantage_there_is_no_update(variant):
    for scale in (-1.0, 0.0):
        given = batch(3)
        given["advantages"] = scale * given["advantages"].abs()
        assert torch.all(value_and_slope(partial(a_lol, variant=variant), given)[1] == 0)


def test_a_band_below_zero_is_refused():
    with pytest.raises(UserError, match="a_lol: eps_low"):
        value_and_slope(partial(a_lol, eps=1.5), batch(1))
