"""Weighted REINFORCE: NSR with a little of PSR."""

from __future__ import annotations

import torch
from torch import Tensor

from crucible.algorithms.groups import on_tokens, rewarded, rewards
from crucible.types import Advantages, Scores


def weighted_reinforce(
    scores: Scores, group: Tensor, mask: Tensor, *, positive: float = 0.1, right_reward: float = 1.0
) -> Advantages:
    """`positive` on completions with a total reward of at least `right_reward`, -1 on all others.

    W-REINFORCE, 2506.01347 (authors' code), lambda = `positive` = 0.1: nsr keeps diversity, psr sharpens.
    positive 0 is nsr. Equal rewards do not give 0: there is no baseline.
    """
    total = rewards(scores)
    signed = (1.0 + positive) * rewarded(scores, right_reward).to(total.dtype) - 1.0
    valid = torch.ones_like(total, dtype=torch.bool) if scores.valid is None else scores.valid
    return on_tokens(torch.where(valid, signed, 0.0), scores, mask)
