"""RLOO's advantage: the reward minus the mean of the other rewards of its group."""

from __future__ import annotations

from torch import Tensor

from crucible.algorithms.groups import on_tokens, reward_groups
from crucible.config.needs import needs
from crucible.types import Advantages, Scores


@needs(min_samples_per_prompt=2, because="a group of one has nothing to be compared with")
def rloo(scores: Scores, group: Tensor, mask: Tensor) -> Advantages:
    """R - mean of the other rows of the group = G / (G - 1) (R - mean_g).

    RLOO, 2402.14740: an unbiased baseline, since it does not contain the row's own reward.
    Equal rewards: 0. Group of one: 0 (nothing was left in; frameworks disagree between 0 and R).
    """
    total, groups = reward_groups(scores, group)
    others = (groups.size - 1.0).clamp(min=1.0)
    return on_tokens(groups.centred(total) * groups.size / others, scores, mask)
