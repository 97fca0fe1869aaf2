"""TOPR, tapered off-policy REINFORCE: good completions with weight 1, bad ones with their truncated ratio."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from crucible.algorithms.losses.base import report
from crucible.algorithms.ratio import importance_ratio, log_ratio
from crucible.types import PolicyLoss


def topr(
    logps: Tensor,
    old_logps: Tensor,
    advantages: Tensor,
    mask: Tensor,
    rewards: Tensor,
    *,
    ratio: Literal["sequence", "token"] = "sequence",
    positive_weight: float = 1.0,
    negative_weight: float = 1.0,
) -> PolicyLoss:
    """-w A log pi, w = positive_weight where the reward (N,) is above 0, else negative_weight min(ratio, 1), detached.

    TOPR, 2503.14286. "sequence": the ratio of the whole completion, pi(y) / pi_old(y), the paper's (inferred
    from its abstract's definition); "token": delta, as in ROLL, which also has the two weights (1 / 1) and takes
    the sign from the score. F = w. So a bad completion that has become unlikely pushes no further, and a good
    one keeps its full weight however unlikely. A zero advantage has no gradient.

    The paper's advantage is the reward itself, with both signs; any other estimator keeps the sign of the
    *reward* for the weight. The log-ratio is bounded to +-20.
    """
    log_delta = log_ratio(logps, old_logps, mask)
    fixed = log_delta.detach()
    tapered = importance_ratio(fixed.sum(-1, keepdim=True) if ratio == "sequence" else fixed).clamp(max=1.0)
    weight = torch.where(rewards.unsqueeze(-1) > 0, positive_weight, negative_weight * tapered)
    return PolicyLoss(-weight * advantages * logps, report(log_delta, advantages, mask))
