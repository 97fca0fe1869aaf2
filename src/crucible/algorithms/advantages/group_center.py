"""Dr. GRPO's advantage: the reward minus its group's mean."""

from __future__ import annotations

from torch import Tensor

from crucible.algorithms.groups import on_tokens, reward_groups
from crucible.config.needs import needs
from crucible.types import Advantages, Scores


@needs(min_samples_per_prompt=2, because="a group of one has nothing to be compared with")
def group_center(scores: Scores, group: Tensor, mask: Tensor) -> Advantages:
    """R - mean_g.

    Dr. GRPO, 2503.20783: without the division by the standard deviation, easy and hard prompts are not
    weighted up. The scale of the advantage is the scale of the reward. Equal rewards and groups of one:
    0.
    """
    total, groups = reward_groups(scores, group)
    return on_tokens(groups.centred(total), scores, mask)
