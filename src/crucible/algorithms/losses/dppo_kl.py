"""DPPO with a binary KL: tokens that have moved too far along their advantage are left out."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from crucible.algorithms.losses.base import report
from crucible.algorithms.ratio import check_positive, importance_ratio, log_ratio
from crucible.types import PolicyLoss

SMALL = 1e-8  # verl's guard of log(1 - p)


def dppo_kl(
    logps: Tensor,
    old_logps: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    threshold_low: Annotated[float, "> 0"] = 0.2,
    threshold_high: Annotated[float, "> 0"] = 0.2,
    ratio_cap: Annotated[float, "> 0"] = 20.0,
) -> PolicyLoss:
    """-A sg(min(delta, ratio_cap)) log pi where kept, else 0. Left out: (pi > pi_old, d > threshold_high) where
    A > 0, (pi < pi_old, d > threshold_low) where A <= 0; d = KL(Bernoulli(pi_old) || Bernoulli(pi)) in nats.

    DPPO, 2602.04879, Binary-KL, as in verl (which guards log(1 - p) with 1e-8). F = min(delta, ratio_cap) on
    kept tokens. verl feeds its clip ratios as thresholds, 0.2 unless configured.
    """
    check_positive("dppo_kl", threshold_low=threshold_low, threshold_high=threshold_high, ratio_cap=ratio_cap)
    log_delta = log_ratio(logps, old_logps, mask)
    new, old = (x.exp().clamp(max=1.0) for x in (logps.detach(), old_logps))  # rounding may pass 1
    divergence = -old * log_delta.detach() + (1.0 - old) * ((1.0 - old + SMALL) / (1.0 - new + SMALL)).log()
    left_out = torch.where(
        advantages > 0, (new > old) & (divergence > threshold_high), (new < old) & (divergence > threshold_low)
    )
    weight = torch.where(left_out, 0.0, importance_ratio(log_delta.detach()).clamp(max=ratio_cap))
    outside = torch.where(mask > 0, left_out.to(logps.dtype), 0.0)
    return PolicyLoss(
        -advantages * weight * logps, report(log_delta, advantages, mask) | {"outside_trust_region": outside}
    )
