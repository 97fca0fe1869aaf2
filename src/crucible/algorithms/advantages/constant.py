"""Every row counts alike: what is left after the filter is imitated."""

from __future__ import annotations

import torch
from torch import Tensor

from crucible.algorithms.groups import on_tokens, rewards
from crucible.types import Advantages, Scores


def constant(scores: Scores, group: Tensor, mask: Tensor) -> Advantages:
    """1 on every row with a reward, whatever the reward.

    Supervised fine-tuning as a policy gradient: with algo/loss=reinforce the loss is the negative log-likelihood of the
    rows that algo/filter keeps (RAFT, 2304.06767).
    """
    total = rewards(scores)
    ones = torch.ones_like(total)
    return on_tokens(ones if scores.valid is None else torch.where(scores.valid, ones, 0.0), scores, mask)
