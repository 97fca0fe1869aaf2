"""AsymRE: off-policy REINFORCE with a baseline a little below the mean reward."""

from __future__ import annotations

import torch
from torch import Tensor

from crucible.algorithms.groups import on_tokens, reward_groups
from crucible.types import Advantages, Scores


def asymre(scores: Scores, group: Tensor, mask: Tensor, *, offset: float = -0.1) -> Advantages:
    """R - (mean_g + offset). The paper's loss has no ratio: algo/loss=reinforce.

    AsymRE, 2506.20520: on off-policy data a baseline below the mean is safe and one above it collapses. Inferred:
    the abstract was read, the default offset is recalled. Equal rewards give -offset, on purpose: what is sampled
    is still reinforced. Group of one: -offset.
    """
    total, groups = reward_groups(scores, group)
    return on_tokens(torch.where(groups.valid, groups.centred(total) - offset, 0.0), scores, mask)
