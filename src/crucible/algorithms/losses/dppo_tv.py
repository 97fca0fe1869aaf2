"""DPPO with total variation: tokens whose probability has moved too far along their advantage are left out."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from crucible.algorithms.losses.base import report
from crucible.algorithms.ratio import check_positive, importance_ratio, log_ratio
from crucible.errors import UserError
from crucible.types import PolicyLoss


def dppo_tv(
    logps: Tensor,
    old_logps: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    threshold_low: Annotated[float, "> 0"] = 0.2,
    threshold_high: Annotated[float, "> 0"] = 0.2,
    ratio_cap: Annotated[float, "> 0"] = 20.0,
    pull: Annotated[float, ">= 0"] = 0.0,
) -> PolicyLoss:
    """-A sg(min(delta, ratio_cap)) log pi where kept, else 0; kept: pi - pi_old <= threshold_high where A > 0,
    pi - pi_old >= -threshold_low where A <= 0. On all tokens + pull (log delta)^2.

    DPPO, 2602.04879, Binary-TV, as in verl. F = min(delta, ratio_cap) on kept tokens. The thresholds are
    differences of probability, in 0 .. 1: a bound on the ratio is too tight for rare tokens and too loose for
    frequent ones. verl feeds its clip ratios as thresholds, 0.2 unless configured. `pull` is prime-rl's kl_tau, whose
    default loss is this mask with that penalty (its value was not found); verl has none. The derivative of the
    penalty is 2 pull log delta.
    """
    check_positive("dppo_tv", threshold_low=threshold_low, threshold_high=threshold_high, ratio_cap=ratio_cap)
    if not pull >= 0.0:
        raise UserError(f"dppo_tv: pull is {pull}; give 0 or more")
    log_delta = log_ratio(logps, old_logps, mask)
    moved = logps.detach().exp() - old_logps.exp()
    kept = torch.where(advantages > 0, moved <= threshold_high, moved >= -threshold_low)
    weight = torch.where(kept, importance_ratio(log_delta.detach()).clamp(max=ratio_cap), 0.0)
    outside = torch.where(mask > 0, (~kept).to(logps.dtype), 0.0)
    per_token = -advantages * weight * logps
    return PolicyLoss(
        per_token + pull * log_delta.square() if pull else per_token,
        report(log_delta, advantages, mask) | {"outside_trust_region": outside},
    )
