"""What losses report: the regions of CE-GPPO, the dual clip, the mean ratio, the KL to the old policy."""

from __future__ import annotations

import math

import pytest
import torch
from loss_cases import batch, built, call

from crucible.algorithms.diagnostics import quadrants, ratio_diagnostics

RATIOS = [0.5, 0.9, 1.1, 1.24, 1.5, 12.0]


def on_a_grid(name, **hyper):
    """Row 0: A = +1, row 1: A = -1; one token per ratio, and one of padding that would be clipped."""
    logps = torch.tensor([[*RATIOS, 50.0]] * 2, dtype=torch.float64).log()
    given = batch(0, groups=[2], width=7) | {
        "logps": logps,
        "old_logps": torch.zeros_like(logps),
        "advantages": torch.tensor([[1.0] * 6 + [0.0], [-1.0] * 6 + [0.0]], dtype=torch.float64),
        "mask": torch.tensor([[1.0] * 6 + [0.0]] * 2, dtype=torch.float64),
    }
    return call(built(name, **hyper), given).diagnostics


@pytest.mark.parametrize(
    ("name", "low", "high", "dual"),
    [
        ("ppo_clip", 0.2, 0.2, math.inf),
        ("clip_higher", 0.2, 0.28, math.inf),
        ("two_sided_clip", 0.2, 0.2, 4.0),
        ("ce_gppo", 0.2, 0.2, 10.0),
        ("gppo", 0.2, 0.28, 10.0),
        ("cispo_scalerl", 0.2, 4.0, math.inf),
        ("cispo_masked", 0.1, 0.1, math.inf),
        ("gmpo", 1 - math.exp(-0.4), math.exp(0.4) - 1, math.inf),
        ("reinforce", 0.2, 0.2, math.inf),
        ("sapo_soft_gate", 0.2, 0.2, math.inf),
    ],
)
def test_regions_token_by_token(name, low, high, dual):
    found = on_a_grid(name)
    assert found["preserved_right"][0].tolist() == [float(r > 1 + high) for r in RATIOS] + [0.0]
    assert found["preserved_right"][1].tolist() == [0.0] * 7
    assert found["preserved_left"][0].tolist() == [0.0] * 7
    assert found["preserved_left"][1].tolist() == [float(r < 1 - low) for r in RATIOS] + [0.0]
    assert found["dual_clip_fraction"][0].tolist() == [0.0] * 7
    assert found["dual_clip_fraction"][1].tolist() == [float(r > dual) for r in RATIOS] + [0.0]
    assert found["ratio_mean"][0].tolist() == pytest.approx([*RATIOS, 0.0])
    assert found["kl_old"][1].tolist() == pytest.approx([-math.log(r) for r in RATIOS] + [0.0])


def test_a_ratio_on_a_bound_is_in_no_region():
    ratio = torch.tensor([[0.75, 1.25, 4.0]])
    for sign in (-1.0, 1.0):
        advantages, mask = sign * torch.ones(1, 3), torch.ones(1, 3)
        found = ratio_diagnostics(ratio, ratio.log(), advantages, mask, eps_low=0.25, eps_high=0.25, dual_clip=4.0)
        assert found["preserved_left"].sum() == 0
        assert found["dual_clip_fraction"].sum() == 0
        assert found["preserved_right"].tolist() == [[0.0, 0.0, float(sign > 0)]]


def test_gspo_reports_its_sequence_ratio():
    found = on_a_grid("gspo")
    s = math.prod(RATIOS) ** (1 / 6)
    assert found["ratio_mean"][0].tolist() == pytest.approx([s] * 6 + [0.0])
    assert found["preserved_right"][0].tolist() == [1.0] * 6 + [0.0]
    assert found["kl_old"][0].tolist() == pytest.approx([-math.log(r) for r in RATIOS] + [0.0])


def test_quadrants():
    old = torch.tensor([[0.9, 0.1, 0.9, 0.1, 0.1, 0.9]]).log()
    advantages = torch.tensor([[1.0, 1.0, -1.0, -1.0, 0.0, 1.0]])
    mask = torch.tensor([[1.0, 1.0, 1.0, 1.0, 1.0, 0.0]])
    found = quadrants(old, advantages, mask)
    assert {name: tensor[0].nonzero().flatten().tolist() for name, tensor in found.items()} == {
        "pa_hp": [0],
        "pa_lp": [1],
        "na_hp": [2],
        "na_lp": [3],
    }
