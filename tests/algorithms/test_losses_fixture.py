"""Worked numbers on one small batch (double precision, checked by central differences when written down)."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from loss_cases import totals, value_and_slope

from crucible.algorithms.aggregation.seq_mean_token_mean import seq_mean_token_mean
from crucible.algorithms.aggregation.seq_mean_token_sum import seq_mean_token_sum
from crucible.algorithms.aggregation.seq_mean_token_sum_norm import seq_mean_token_sum_norm
from crucible.algorithms.aggregation.token_mean import token_mean
from crucible.algorithms.aggregation.token_sum import token_sum
from crucible.algorithms.losses.ce_gppo import ce_gppo
from crucible.algorithms.losses.cispo import cispo
from crucible.algorithms.losses.gspo import gspo
from crucible.algorithms.losses.ppo_clip import ppo_clip
from crucible.algorithms.losses.reinforce import reinforce

MASK = torch.tensor([[1.0, 1.0, 1.0], [1.0, 1.0, 0.0]], dtype=torch.float64)
OLD = torch.full((2, 3), math.log(0.5), dtype=torch.float64)
LOGPS = torch.tensor([[0.75, 0.5, 0.25], [0.75, 0.25, 0.9]], dtype=torch.float64).log()
ADVANTAGES = torch.tensor([[1.0, 1.0, 1.0], [-1.0, -1.0, 0.0]], dtype=torch.float64)
TOTALS = totals(MASK, 3)

# loss: per-token values, slopes d loss / d log pi (row 0 then row 1, padding left out), token mean
F1 = {
    "reinforce": (
        reinforce,
        [0.287682, 0.693147, 1.386294, -0.287682, -1.386294],
        [-1, -1, -1, 1, 1],
        0.138629,
    ),
    "ppo_clip": (ppo_clip, [-1.2, -1, -0.5, 1.5, 0.8], [0, -1, -0.5, 1.5, 0], -0.08),
    "clip_higher": (
        partial(ppo_clip, eps_high=0.28),
        [-1.28, -1, -0.5, 1.5, 0.8],
        [0, -1, -0.5, 1.5, 0],
        -0.096,
    ),
    "cispo": (
        cispo,
        [0.345218, 0.693147, 1.109035, -0.345218, -1.109035],
        [-1.2, -1, -0.8, 1.2, 0.8],
        0.138629,
    ),
    "cispo cap 5": (
        partial(cispo, eps_low=None, eps_high=4.0),
        [0.431523, 0.693147, 0.693147, -0.431523, -0.693147],
        [-1.5, -1, -0.5, 1.5, 0.5],
        0.138629,
    ),
    "gppo": (
        partial(ce_gppo, beta1=1.0, beta2=1.0),
        [-1.2, -1, -0.5, 1.5, 0.8],
        [-1.2, -1, -0.5, 1.5, 0.8],
        -0.08,
    ),
    "ce_gppo .75 1": (
        partial(ce_gppo, beta1=0.75),
        [-1.2, -1, -0.5, 1.5, 0.6],
        [-1.2, -1, -0.5, 1.5, 0.6],
        -0.12,
    ),
}


@pytest.mark.parametrize("name", F1)
def test_worked_numbers(name):
    loss, values, slopes, mean = F1[name]
    per_token, slope = value_and_slope(loss, LOGPS, OLD, ADVANTAGES, MASK)
    real = MASK > 0
    torch.testing.assert_close(per_token[real], torch.tensor(values, dtype=torch.float64), atol=1e-6, rtol=0)
    torch.testing.assert_close(slope[real], torch.tensor(slopes, dtype=torch.float64), atol=1e-6, rtol=0)
    assert float(token_mean(per_token, MASK, TOTALS)) == pytest.approx(mean, abs=1e-6)
    assert float(slope[1, 2]) == 0.0


def test_gspo_worked_numbers():
    loss = partial(gspo, eps_low=0.2, eps_high=0.2)
    leaf = LOGPS.clone().requires_grad_()
    per_token = loss(leaf, OLD, ADVANTAGES, MASK).per_token
    torch.testing.assert_close(
        per_token[:, 0], torch.tensor([-0.908560, 0.866025], dtype=torch.float64), atol=1e-6, rtol=0
    )
    mean = seq_mean_token_mean(per_token, MASK, TOTALS)
    assert float(mean.detach()) == pytest.approx(-0.021267, abs=1e-6)
    mean.backward()
    expected = torch.tensor([[-0.151427] * 3, [0.216506, 0.216506, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(leaf.grad, expected, atol=1e-6, rtol=0)


def test_gspo_clips_whole_rows_at_its_own_eps():
    per_token, slope = value_and_slope(gspo, LOGPS, OLD, ADVANTAGES, MASK)
    assert float(seq_mean_token_mean(per_token, MASK, TOTALS)) == pytest.approx(0.045570, abs=1e-6)
    assert torch.all(slope[1] == 0)


def test_aggregations_of_the_ppo_losses():
    per_token = ppo_clip(LOGPS, OLD, ADVANTAGES, MASK).per_token
    found = {
        f.__name__: float(f(per_token, MASK, TOTALS))
        for f in (token_mean, token_sum, seq_mean_token_mean, seq_mean_token_sum, seq_mean_token_sum_norm)
    }
    assert found == pytest.approx(
        {
            "token_mean": -0.08,
            "token_sum": -0.4,
            "seq_mean_token_mean": 0.125,
            "seq_mean_token_sum": -0.2,
            "seq_mean_token_sum_norm": -0.2 / 3,
        }
    )


@pytest.mark.parametrize(
    ("ratio", "dual_clip", "value", "slope"),
    [(4.0, 3.0, 3.0, 0.0), (4.0, None, 4.0, 4.0), (4.0, 10.0, 4.0, 4.0)],
)
@pytest.mark.parametrize("loss", [ppo_clip, ce_gppo])
def test_dual_clip_of_a_bad_token(loss, ratio, dual_clip, value, slope):
    one = torch.ones(1, 1, dtype=torch.float64)
    found = value_and_slope(partial(loss, dual_clip=dual_clip), one * math.log(ratio), one * 0, -one, one)
    assert [float(x) for x in found] == pytest.approx([value, slope])
