"""PPO's clipped surrogate: the loss of PPO, GRPO, DAPO (clip-higher) and Dr. GRPO."""

from __future__ import annotations

import torch
from torch import Tensor

from crucible.algorithms.diagnostics import ratio_diagnostics
from crucible.algorithms.ratio import check_bounds, importance_ratio, log_ratio
from crucible.types import PolicyLoss


def ppo_clip(
    logps: Tensor,
    old_logps: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    eps_low: float = 0.2,
    eps_high: float = 0.2,
    dual_clip: float | None = None,
) -> PolicyLoss:
    """max(-A delta, -A clip(delta, 1 - eps_low, 1 + eps_high)); with dual_clip c, at most -c A where A < 0.

    PPO, 1707.06347, Eq. 7 (eps 0.2). eps_high > eps_low is DAPO's clip-higher, 2503.14476 (0.2 / 0.28).
    dual_clip: 1912.09729, c > 1; null turns it off; 10 in the DAPO and CE-GPPO scripts.

    F = delta, and 0 where (delta < 1 - eps_low, A < 0), (delta > 1 + eps_high, A > 0) or
    (delta > c, A < 0); delta exactly on a bound counts as inside. Zero advantage: zero gradient.

    Differs from the paper: the log-ratio is bounded to +-20, with gradient 0 beyond.
    """
    check_bounds("ppo_clip", eps_low=eps_low, eps_high=eps_high, dual_clip=dual_clip)
    log_delta = log_ratio(logps, old_logps, mask)
    delta = importance_ratio(log_delta)
    clipped = delta.clamp(1.0 - eps_low, 1.0 + eps_high)
    per_token = torch.maximum(-advantages * delta, -advantages * clipped)
    if dual_clip is not None:
        beyond = (advantages < 0) & (delta > dual_clip)
        per_token = torch.where(beyond, -dual_clip * advantages, per_token)
    return PolicyLoss(
        per_token,
        ratio_diagnostics(delta, log_delta, advantages, mask, eps_low=eps_low, eps_high=eps_high, dual_clip=dual_clip),
    )
