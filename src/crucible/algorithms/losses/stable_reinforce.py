"""StableReinforce: PPO's clip behind a bound on the log-ratio ("pre-clip")."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from torch import Tensor

from crucible.algorithms.diagnostics import ratio_diagnostics
from crucible.algorithms.ratio import bounded, check_bounds, importance_ratio, log_ratio, with_slope
from crucible.errors import UserError
from crucible.types import PolicyLoss


def stable_reinforce(
    logps: Tensor,
    old_logps: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    pre_clip: Annotated[float, "> 1"] = 1e3,
    eps_low: Annotated[float, "0 to 1"] = 0.2,
    eps_high: Annotated[float, ">= 0"] = 0.2,
) -> PolicyLoss:
    """PPO's clipped surrogate of delta = exp(clip(log ratio, +-log pre_clip)).

    StableReinforce (R1-Reward), 2505.02835, and its official code: pre_clip 1e3, eps 0.2. F is PPO's, and 0 also
    where the ratio is beyond pre_clip (A < 0) or below 1 / pre_clip (A > 0); the bounds themselves are inside.
    Its filter of advantages beyond 3 sigma belongs to the advantage, its consistency reward to the reward.
    """
    check_bounds("stable_reinforce", eps_low=eps_low, eps_high=eps_high)
    if pre_clip <= 1.0 + eps_high:
        raise UserError(f"stable_reinforce: pre_clip is {pre_clip}; give more than 1 + eps_high = {1.0 + eps_high}")
    bound = math.log(pre_clip)
    log_delta = log_ratio(logps.detach(), old_logps, mask)
    delta = importance_ratio(log_delta, bound=bound)
    found = ratio_diagnostics(delta, log_delta, advantages, mask, eps_low=eps_low, eps_high=eps_high)
    unclipped = -advantages * delta
    value = torch.maximum(unclipped, -advantages * delta.clamp(1.0 - eps_low, 1.0 + eps_high))
    free = (1.0 - found["clip_fraction"]) * bounded(log_delta, bound=bound)
    return PolicyLoss(with_slope(value, unclipped * free, logps, mask), found)
