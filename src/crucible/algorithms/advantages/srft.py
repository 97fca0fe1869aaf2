"""SRFT's on-policy part: right completions count the more, the less certain the policy was of them."""

from __future__ import annotations

import torch
from torch import Tensor

from crucible.algorithms.groups import on_tokens, rewarded, rewards
from crucible.types import Advantages, Scores


def srft(
    scores: Scores, mask: Tensor, entropy: Tensor, *, positive: float = 0.1, right_reward: float = 1.0
) -> Advantages:
    """`positive` exp(H) on completions with a total reward of at least `right_reward`, -1 on all others.

    SRFT, 2506.19767, as re-implemented in the HPT repository: positive 0.1, H the mean token entropy of the row in
    nats, without gradient. The loss there is -A log pi, no ratio: algo/loss=reinforce. Without the entropy it is
    weighted_reinforce. Equal rewards do not give 0: there is no baseline.

    Differs from the paper: only its on-policy part; the supervised and off-policy terms need demonstrations.
    """
    total = rewards(scores)
    spread = torch.where(mask > 0, entropy, 0.0).sum(-1) / mask.sum(-1).clamp(min=1.0)
    right = rewarded(scores, right_reward)
    signed = torch.where(right, positive * spread.to(total.dtype).exp(), -torch.ones_like(total))
    valid = torch.ones_like(right) if scores.valid is None else scores.valid
    return on_tokens(torch.where(valid, signed, torch.zeros_like(total)), scores, mask)
