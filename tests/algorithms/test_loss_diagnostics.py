"""What a loss reports: the regions of CE-GPPO, the dual clip, the mean ratio, the KL to the old policy."""

from __future__ import annotations

import math

import pytest
import torch
from loss_cases import ALL_LOSSES, TOKEN_LOSSES

from crucible.algorithms.diagnostics import gradient_coefficient, quadrants, token_diagnostics

RATIOS = [0.5, 0.9, 1.1, 1.24, 1.5, 12.0]
NAMES = {"clip_fraction", "preserved_left", "preserved_right", "dual_clip_fraction", "ratio_mean", "kl_old"}


def on_a_grid(loss):
    """Row 0: A = +1, row 1: A = -1; one token per ratio, and one of padding that would be clipped."""
    logps = torch.tensor([[*RATIOS, 50.0]] * 2, dtype=torch.float64).log()
    advantages = torch.tensor([[1.0], [-1.0]], dtype=torch.float64).expand(2, 7)
    mask = torch.tensor([[1.0] * 6 + [0.0]] * 2, dtype=torch.float64)
    return loss(logps, torch.zeros_like(logps), advantages, mask).diagnostics


@pytest.mark.parametrize("name", ALL_LOSSES)
def test_same_names_for_every_loss(name):
    found = on_a_grid(ALL_LOSSES[name])
    assert set(found) == NAMES
    assert all(tensor.shape == (2, 7) and not tensor.requires_grad for tensor in found.values())
    torch.testing.assert_close(found["clip_fraction"], found["preserved_left"] + found["preserved_right"])


@pytest.mark.parametrize("name", TOKEN_LOSSES)
def test_regions_token_by_token(name):
    _, hyper = TOKEN_LOSSES[name]
    low = hyper.get("eps_low") or 0.2
    high = hyper.get("eps_high") or 0.2
    dual = hyper.get("dual_clip") or math.inf
    found = on_a_grid(ALL_LOSSES[name])
    assert found["preserved_right"][0].tolist() == [float(r > 1 + high) for r in RATIOS] + [0.0]
    assert found["preserved_right"][1].tolist() == [0.0] * 7
    assert found["preserved_left"][0].tolist() == [0.0] * 7
    assert found["preserved_left"][1].tolist() == [float(r < 1 - low) for r in RATIOS] + [0.0]
    assert found["dual_clip_fraction"][0].tolist() == [0.0] * 7
    assert found["dual_clip_fraction"][1].tolist() == [float(r > dual) for r in RATIOS] + [0.0]
    assert found["ratio_mean"][0].tolist() == pytest.approx([*RATIOS, 0.0])
    assert found["kl_old"][1].tolist() == pytest.approx([-math.log(r) for r in RATIOS] + [0.0])


def test_gspo_reports_its_sequence_ratio():
    found = on_a_grid(ALL_LOSSES["gspo"])
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


def test_token_diagnostics_by_a_loop_over_tokens():
    torch.manual_seed(0)
    old = torch.log_softmax(torch.randn(3, 5, 4, dtype=torch.float64), -1)
    now = torch.log_softmax(old + 0.5 * torch.randn(3, 5, 4, dtype=torch.float64), -1)
    entropy = -(now.exp() * now).sum(-1)
    action = torch.randint(4, (3, 5, 1))
    logps = now.gather(-1, action).squeeze(-1).requires_grad_()
    old_logps = old.gather(-1, action).squeeze(-1)
    advantages = torch.randn(3, 1, dtype=torch.float64).expand(3, 5)
    mask = torch.ones(3, 5, dtype=torch.float64)
    mask[0, 3:] = 0.0
    coefficient = gradient_coefficient(-advantages * (logps - old_logps).exp(), logps)
    found = token_diagnostics(logps, old_logps, entropy, advantages, mask, coefficient)
    for i in range(3):
        for t in range(5):
            got = {name: value[i, t].item() for name, value in found.items()}
            if mask[i, t] == 0:
                assert set(got.values()) == {0.0}
                continue
            p, a, ratio = logps[i, t].exp().item(), advantages[i, t].item(), (logps - old_logps)[i, t].exp().item()
            before = old_logps[i, t].exp().item()
            kind = ("pa" if a > 0 else "na") + ("_hp" if before >= 0.5 else "_lp")
            assert [name for name in ("pa_hp", "pa_lp", "na_hp", "na_lp") if got[name]] == [kind]
            assert got[f"mass_{kind}"] == pytest.approx(ratio * abs(a))
            assert got["covariance"] == pytest.approx((math.log(p) + entropy[i, t].item()) * p * a)
            assert got["covariance_natural"] == pytest.approx((math.log(p) + entropy[i, t].item()) * a)
            assert got["outside_band"] == float(abs(ratio - 1) > 0.2)
            assert (got["prob_outside"], got["prob_inside"]) == pytest.approx(
                (before, 0.0) if abs(ratio - 1) > 0.2 else (0.0, before)
            )
