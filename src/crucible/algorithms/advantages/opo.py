"""OPO's advantage: the reward minus the length-weighted mean of its group."""

from __future__ import annotations

from torch import Tensor

from crucible.algorithms.groups import on_tokens, reward_groups
from crucible.config.needs import needs
from crucible.types import Advantages, Scores


@needs(min_samples_per_prompt=2, because="a group of one has nothing to be compared with")
def opo(scores: Scores, group: Tensor, mask: Tensor) -> Advantages:
    """R - sum_g(len R) / sum_g(len), len = completion tokens.

    OPO, 2505.23585: the baseline of least gradient variance when a row's squared gradient norm grows with its
    length. The paper trains exactly on-policy, without clip and KL.
    Equal rewards: 0. Group of one, or no token in the group: 0.
    """
    total, groups = reward_groups(scores, group)
    return on_tokens(groups.centred(total, weights=mask.sum(-1).to(total.dtype)), scores, mask)
