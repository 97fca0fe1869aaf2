"""PPO's clipped surrogate: the loss of PPO, GRPO, DAPO (clip-higher) and Dr. GRPO."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from crucible.algorithms.diagnostics import ratio_diagnostics
from crucible.algorithms.ratio import bounded, check_bounds, importance_ratio, log_ratio, with_slope
from crucible.types import PolicyLoss


def ppo_clip(
    logps: Tensor,
    old_logps: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    eps_low: Annotated[float, "0 to 1"] = 0.2,
    eps_high: Annotated[float, ">= 0"] = 0.2,
    dual_clip: Annotated[float, "> 1"] | None = None,
) -> PolicyLoss:
    """max(-A delta, -A clip(delta, 1 - eps_low, 1 + eps_high)); with dual_clip c, at most -c A where A < 0.

    PPO, 1707.06347, Eq. 7 (eps 0.2). eps_high > eps_low is DAPO's clip-higher, 2503.14476 (0.2 / 0.28).
    dual_clip: 1912.09729, c > 1; null turns it off; 10 in the DAPO and CE-GPPO scripts.

    F = delta, and 0 where (delta < 1 - eps_low, A < 0), (delta > 1 + eps_high, A > 0) or
    (delta > c, A < 0); delta exactly on a bound counts as inside. Zero advantage: zero gradient.

    Differs from the paper: the log-ratio is bounded to +-20, with gradient 0 beyond.
    """
    check_bounds("ppo_clip", eps_low=eps_low, eps_high=eps_high, dual_clip=dual_clip)
    log_delta = log_ratio(logps.detach(), old_logps, mask)
    delta = importance_ratio(log_delta)
    found = ratio_diagnostics(
        delta, log_delta, advantages, mask, eps_low=eps_low, eps_high=eps_high, dual_clip=dual_clip
    )
    unclipped = -advantages * delta
    value = torch.maximum(unclipped, -advantages * delta.clamp(1.0 - eps_low, 1.0 + eps_high))
    if dual_clip is not None:
        value = torch.where((advantages < 0) & (delta > dual_clip), -dual_clip * advantages, value)
    free = (1.0 - found["clip_fraction"] - found["dual_clip_fraction"]) * bounded(log_delta)
    return PolicyLoss(with_slope(value, unclipped * free, logps, mask), found)
