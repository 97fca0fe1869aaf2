"""Confucius3-Math's policy-specific hardness weighting: prompts the policy fails count for more."""

from __future__ import annotations

import torch
from torch import Tensor

from crucible.algorithms.groups import on_tokens, reward_groups
from crucible.config.needs import needs
from crucible.errors import UserError
from crucible.types import Advantages, Scores


@needs(min_samples_per_prompt=2, because="a group of one has nothing to be compared with")
def hardness_weighted(
    scores: Scores,
    group: Tensor,
    mask: Tensor,
    *,
    wrong_reward: float = 0.0,
    right_reward: float = 1.0,
    slope: float = -0.256,
    intercept: float = 1.256,
) -> Advantages:
    """(R - mean_g) D with D = slope mean_g + intercept, R rescaled to -1 (wrong) .. 1 (right).

    Confucius3-Math, 2506.18330 (PSHW). The paper's rewards are -1 and 1, so `wrong_reward` and `right_reward` say
    what they are here; D runs from 1.512 (all wrong) to 1 (all right). No std; the paper sums over tokens without
    a length normaliser (algo/aggregation=seq_mean_token_sum). Equal rewards, group of one: 0.
    """
    if right_reward <= wrong_reward:
        raise UserError(f"hardness_weighted: right_reward {right_reward} must be above wrong_reward {wrong_reward}")
    total, groups = reward_groups(scores, group)
    unit = torch.where(groups.valid, 2.0 * (total - wrong_reward) / (right_reward - wrong_reward) - 1.0, 0.0)
    return on_tokens(groups.centred(unit) * (slope * groups.mean(unit) + intercept), scores, mask)
