"""GRPO with process supervision: step rewards standardised over the group, each token gets what is to come."""

from __future__ import annotations

import torch
from torch import Tensor

from crucible.algorithms.groups import Groups
from crucible.algorithms.returns import returns_to_go, step_ends, token_rewards
from crucible.types import Advantages, Scores


def process_group_norm(scores: Scores, group: Tensor, mask: Tensor, *, eps: float = 1e-6) -> Advantages:
    """A_t = sum over the steps that end at t or later of (r - mean_g) / (std_g + eps), r the group's step rewards.

    GRPO, 2402.03300, section 4.1.3. A step ends where `scores.per_token` is not 0 (a step worth exactly 0 cannot be
    told from no step); without it the completion is one step, and this is group_norm. n - 1 in the variance.
    Equal step rewards, one step in the group: 0.
    """
    paid = token_rewards(scores, mask)
    ends = step_ends(scores, mask)
    row = torch.arange(len(group), device=group.device).unsqueeze(-1).expand(mask.shape)[ends]
    steps = Groups.of(group[row], None, paid.dtype)
    centred = steps.centred(paid[ends])
    variance = steps.sum(centred.square()) / (steps.size - 1.0).clamp(min=1.0)
    score = torch.zeros_like(paid).masked_scatter(ends, centred / (variance.sqrt() + eps))
    return Advantages(returns_to_go(score, 1.0) * mask, keep=scores.valid)
