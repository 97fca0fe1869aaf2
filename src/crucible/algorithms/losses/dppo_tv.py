"""DPPO with total variation: tokens whose probability has moved too far along their advantage are left out."""

from __future__ import annotations

import torch
from torch import Tensor

from crucible.algorithms.losses.base import report
from crucible.algorithms.ratio import check_positive, importance_ratio, log_ratio
from crucible.types import PolicyLoss


def dppo_tv(
    logps: Tensor,
    old_logps: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    threshold_low: float = 0.2,
    threshold_high: float = 0.2,
    ratio_cap: float = 20.0,
) -> PolicyLoss:
    """-A sg(min(delta, ratio_cap)) log pi where kept, else 0; kept: pi - pi_old <= threshold_high where A > 0,
    pi - pi_old >= -threshold_low where A <= 0.

    DPPO, 2602.04879, Binary-TV, as in verl. F = min(delta, ratio_cap) on kept tokens. The thresholds are
    differences of probability, in 0 .. 1: a bound on the ratio is too tight for rare tokens and too loose for
    frequent ones. verl feeds its clip ratios as thresholds, 0.2 unless configured.
    """
    check_positive("dppo_tv", threshold_low=threshold_low, threshold_high=threshold_high, ratio_cap=ratio_cap)
    log_delta = log_ratio(logps, old_logps, mask)
    moved = logps.detach().exp() - old_logps.exp()
    kept = torch.where(advantages > 0, moved <= threshold_high, moved >= -threshold_low)
    weight = torch.where(kept, importance_ratio(log_delta.detach()).clamp(max=ratio_cap), 0.0)
    outside = torch.where(mask > 0, (~kept).to(logps.dtype), 0.0)
    return PolicyLoss(
        -advantages * weight * logps, report(log_delta, advantages, mask) | {"outside_trust_region": outside}
    )
