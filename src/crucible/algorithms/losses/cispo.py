"""CISPO: REINFORCE weighted by a clipped, detached importance ratio. No token loses its gradient."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from crucible.algorithms.diagnostics import REPORT_EPS, ratio_diagnostics
from crucible.algorithms.ratio import check_bounds, importance_ratio, log_ratio
from crucible.types import PolicyLoss


def cispo(
    logps: Tensor,
    old_logps: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    eps_low: Annotated[float, "0 to 1"] | None = 0.2,
    eps_high: Annotated[float, ">= 0"] = 0.2,
    unified_mask: bool = False,
) -> PolicyLoss:
    """-sg(clip(delta, 1 - eps_low, 1 + eps_high)) A log pi.

    MiniMax-M1, 2506.13585; the two-sided form with eps 0.2 / 0.2 is the baseline of CE-GPPO (2509.20712, A.1)
    and Klear-Reasoner (2508.07629, Eq. 15). F = clip(delta, 1 - eps_low, 1 + eps_high), whatever the sign
    of A. unified_mask: F = 0 where (delta < 1 - eps_low, A < 0) or (delta > 1 + eps_high, A > 0), the regions
    PPO drops (MiniMax-M1's unified form, Eq. 7, as ROLL has it).

    Cap convention: eps_high is measured from 1, so the weight is at most 1 + eps_high. TRL's
    `epsilon_high` is the cap itself: its 5.0 (ScaleRL, 2510.13786) is eps_high 4.0 here. eps_low null: no
    floor, as in MiniMax-M1, which tunes the upper bound only (values not found).

    The regions reported for a missing floor use 0.2.
    """
    check_bounds("cispo", eps_low=eps_low, eps_high=eps_high)
    log_delta = log_ratio(logps, old_logps, mask)
    delta = importance_ratio(log_delta.detach())
    floor = 0.0 if eps_low is None else 1.0 - eps_low
    weight = delta.clamp(floor, 1.0 + eps_high)
    if unified_mask:
        dropped = ((delta < floor) & (advantages < 0)) | ((delta > 1.0 + eps_high) & (advantages > 0))
        weight = torch.where(dropped, 0.0, weight)
    return PolicyLoss(
        -weight * advantages * logps,
        ratio_diagnostics(
            delta,
            log_delta,
            advantages,
            mask,
            eps_low=REPORT_EPS if eps_low is None else eps_low,
            eps_high=eps_high,
        ),
    )
