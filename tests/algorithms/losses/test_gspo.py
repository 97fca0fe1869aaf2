"""GSPO, GSPO-token and LUSPO: one ratio for a completion."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from loss_cases import (
    F1,
    assert_f1_rows,
    assert_policy_gradient_on_policy,
    assert_rows,
    batch,
    built,
    call,
    ragged,
    totals,
    value_and_slope,
)

from crucible.algorithms.aggregation.seq_mean_token_mean import seq_mean_token_mean
from crucible.algorithms.aggregation.seq_mean_token_sum import seq_mean_token_sum
from crucible.algorithms.losses.gspo import gspo
from crucible.algorithms.losses.ppo_clip import ppo_clip
from crucible.errors import UserError


def oracle(rows, *, eps_low=3e-4, eps_high=4e-4):
    """GSPO-token: the row's s, clipped by the sign of each token's own advantage."""
    found = []
    for row in rows:
        moves = [new - old for new, old in zip(row["logps"], row["old_logps"], strict=True)]
        s = math.exp(sum(moves) / len(moves)) if moves else 1.0
        values, slopes = [], []
        for a in row["advantages"]:
            dropped = (a > 0 and s > 1 + eps_high) or (a < 0 and s < 1 - eps_low)
            values.append(-a * (min(max(s, 1 - eps_low), 1 + eps_high) if dropped else s))
            slopes.append(0.0 if dropped else -a * s)
        found.append((values, slopes))
    return found


@pytest.mark.parametrize("hyper", [{}, {"eps_low": 0.2, "eps_high": 0.2}, {"eps_low": 0.05, "eps_high": 0.1}])
@pytest.mark.parametrize("by_token", [False, True])
def test_value_and_coefficient_row_by_row(hyper, by_token):
    for given in ragged(by_token=by_token):
        assert_rows(gspo, oracle, given, **hyper)


@pytest.mark.parametrize("name", ["gspo", "gspo_token", "luspo"])
def test_the_numbers_in_the_yaml_are_those_of_the_oracle(name):
    for given in ragged():
        assert_rows(gspo, oracle, given, **built(name).keywords)


def test_all_four_cells_are_seen():
    seen = set()
    for given in ragged():
        _, slope = value_and_slope(partial(gspo, eps_low=0.05, eps_high=0.05), given)
        real = given["mask"] > 0
        seen |= set(zip((given["advantages"][real] > 0).tolist(), (slope[real] == 0).tolist(), strict=True))
    assert len(seen) == 4  # both signs, clipped and not


def test_worked_numbers():
    slopes = [[-0.151427] * 3, [0.216506, 0.216506, 0.0]]
    assert_f1_rows(built("gspo", eps_low=0.2, eps_high=0.2), [-0.908560, 0.866025], -0.021267, slopes)


def test_whole_rows_are_clipped_at_its_own_eps():
    value, slope = value_and_slope(gspo, F1)
    assert float(seq_mean_token_mean(value, F1["mask"], totals(F1["mask"], 3))) == pytest.approx(0.045570, abs=1e-6)
    assert torch.all(slope[1] == 0)


def test_summed_over_tokens_it_is_luspo():
    """mean over rows of length x row loss, and its gradient by central differences."""
    mask, wide = F1["mask"], built("luspo", eps_low=0.2, eps_high=0.2)

    def luspo(logps):
        s = (((logps - F1["old_logps"]) * mask).sum(-1) / mask.sum(-1)).exp()
        a = F1["advantages"][:, 0]
        return (mask.sum(-1) * torch.maximum(-a * s, -a * s.clamp(0.8, 1.2))).mean()

    leaf = F1["logps"].clone().requires_grad_()
    found = seq_mean_token_sum(call(wide, F1, logps=leaf).per_token, mask, totals(mask, 3))
    found.backward()
    assert float(found.detach()) == pytest.approx(-0.496815, abs=1e-6)
    assert float(found.detach()) == pytest.approx(float(luspo(F1["logps"])), rel=1e-12)
    for n, t in mask.nonzero().tolist():
        nudge = torch.zeros_like(mask)
        nudge[n, t] = 1e-6
        rise = float(luspo(F1["logps"] + nudge) - luspo(F1["logps"] - nudge)) / 2e-6
        assert float(leaf.grad[n, t]) == pytest.approx(rise, abs=1e-8)


def test_of_one_token_it_is_ppo():
    given, hyper = batch(5, width=1), {"eps_low": 0.1, "eps_high": 0.3}
    for a, b in zip(
        value_and_slope(partial(gspo, **hyper), given), value_and_slope(partial(ppo_clip, **hyper), given), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=0)


def test_it_starts_as_the_policy_gradient():
    assert_policy_gradient_on_policy(gspo)


def test_it_reports_its_sequence_ratio():
    given = batch(6)
    found = call(built("gspo"), given).diagnostics
    moves = ((given["logps"] - given["old_logps"]) * given["mask"]).sum(-1) / given["mask"].sum(-1)
    torch.testing.assert_close(found["ratio_mean"], moves.exp().unsqueeze(-1) * given["mask"])
    torch.testing.assert_close(found["kl_old"], (given["old_logps"] - given["logps"]) * given["mask"])


def test_bounds_that_describe_no_clip_are_refused():
    with pytest.raises(UserError, match="gspo: eps_high"):
        value_and_slope(partial(gspo, eps_high=-1e-4), batch(1))
