"""Inverse soft-Q learning as a regulariser of supervised fine-tuning."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from crucible.errors import UserError
from crucible.types import PolicyLoss


def iq_learn(
    logps: Tensor,
    normaliser: Tensor,
    mask: Tensor,
    *,
    weight: Annotated[float, ">= 0"] = 0.1,
    gamma: Annotated[float, "0 to 1"] = 1.0,
) -> PolicyLoss:
    """-log p + weight (v_t + log p - gamma v_{t+1})^2, v = log sum exp of the logits, 0 after the last token.

    2409.01369 (from its public summary with the equation): logits are Q-values, so v_t + log p is the Q of the
    demonstrated token and the bracket the reward it implies. weight 0 is plain supervised learning. The paper searches
    the weight; 0.1 is not from it. gamma is usually 1.
    """
    if weight < 0 or not 0.0 <= gamma <= 1.0:
        raise UserError(f"iq_learn: weight is {weight} and gamma {gamma}; give weight >= 0 and 0 <= gamma <= 1")
    v = torch.where(mask > 0, normaliser, 0.0)
    following = torch.cat([v[:, 1:], torch.zeros_like(v[:, :1])], 1)
    reward = torch.where(mask > 0, v + logps - gamma * following, 0.0)
    return PolicyLoss(weight * reward.square() - logps, {"implied_reward": reward})
