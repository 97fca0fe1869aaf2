"""StableReinforce: PPO's clip behind a bound on the log-ratio ("pre-clip")."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from crucible.algorithms.diagnostics import ratio_diagnostics
from crucible.algorithms.ratio import check_bounds, importance_ratio, log_ratio
from crucible.errors import UserError
from crucible.types import PolicyLoss


def stable_reinforce(
    logps: Tensor,
    old_logps: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    pre_clip: float = 1e3,
    eps_low: float = 0.2,
    eps_high: float = 0.2,
) -> PolicyLoss:
    """PPO's clipped surrogate of delta = exp(clip(log ratio, +-log pre_clip)).

    StableReinforce (R1-Reward), 2505.02835, and its official code: pre_clip 1e3, eps 0.2. F is PPO's, and 0 also
    where the ratio is beyond pre_clip (A < 0) or below 1 / pre_clip (A > 0); the bounds themselves are inside.
    Its filter of advantages beyond 3 sigma belongs to the advantage, its consistency reward to the reward.
    """
    check_bounds("stable_reinforce", eps_low=eps_low, eps_high=eps_high)
    if pre_clip <= 1.0 + eps_high:
        raise UserError(f"stable_reinforce: pre_clip is {pre_clip}; give more than 1 + eps_high = {1.0 + eps_high}")
    log_delta = log_ratio(logps, old_logps, mask)
    delta = importance_ratio(log_delta, bound=math.log(pre_clip))
    clipped = delta.clamp(1.0 - eps_low, 1.0 + eps_high)
    return PolicyLoss(
        torch.maximum(-advantages * delta, -advantages * clipped),
        ratio_diagnostics(delta, log_delta, advantages, mask, eps_low=eps_low, eps_high=eps_high),
    )
