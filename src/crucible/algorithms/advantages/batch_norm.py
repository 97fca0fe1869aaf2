"""Lite PPO's advantage: centred within the group, scaled by the whole batch."""

from __future__ import annotations

import torch
from torch import Tensor

from crucible.algorithms.groups import on_tokens, reward_groups
from crucible.config.needs import needs
from crucible.types import Advantages, Scores


@needs(min_samples_per_prompt=2, because="a group of one has nothing to be compared with")
def batch_norm(scores: Scores, group: Tensor, mask: Tensor, *, eps: float = 1e-6) -> Advantages:
    """(R - mean_g) / (std of R over the valid rows of the batch, n - 1 in the variance, + eps).

    Lite PPO, 2508.08221. A group whose rewards barely differ is not blown up as it is by group_norm.
    eps: TRL uses 1e-4 with scale_rewards="batch"; the paper's value was not found.
    Equal rewards in a group: 0. Group of one: 0.
    """
    total, groups = reward_groups(scores, group)
    valid = groups.valid
    n = valid.sum()
    known = torch.where(valid, total, torch.zeros_like(total))
    deviation = torch.where(valid, known - known.sum() / n.clamp(min=1), torch.zeros_like(total))
    std = (deviation.square().sum() / (n - 1).clamp(min=1)).sqrt()
    return on_tokens(groups.centred(total) / (std + eps), scores, mask)
