"""Reinforce-Ada's balanced down-sampling: few rows of a large pool train, measured against the whole pool."""

from __future__ import annotations

import torch
from torch import Tensor

from crucible.algorithms.groups import on_tokens, reward_groups, rewarded
from crucible.config.needs import needs
from crucible.types import Advantages, Scores


@needs(min_samples_per_prompt=2, because="a group of one has nothing to be compared with")
def reinforce_ada(
    scores: Scores, group: Tensor, mask: Tensor, *, kept: int = 4, right_reward: float = 0.7
) -> Advantages:
    """R - mean_g over all rows of the group, of which half of `kept` right and half wrong rows are trained on.

    Reinforce-Ada, 2510.04996 (authors' code): 4 kept, right means a reward above 0.7, no std. Where one kind is
    short the other fills up; first come, first kept. The kept advantages do not add up to 0. Equal rewards: 0.

    Differs from the paper: only the advantage part. It samples in rounds and stops where a prompt has enough of
    both; here the pool is the group (batch.samples_per_prompt, the paper's rounds give up to 32). The group of one
    is 0 where the paper leaves R.
    """
    total, groups = reward_groups(scores, group)
    right = rewarded(scores, right_reward)
    wrong = groups.valid & ~right
    rights, wrongs = (groups.sum(kind.to(total.dtype)) for kind in (right, wrong))
    first = torch.minimum(rights, torch.full_like(rights, kept // 2))
    negatives = torch.minimum(wrongs, kept - first)
    positives = torch.minimum(rights, kept - negatives)
    keep = (right & (groups.place(right) < positives)) | (wrong & (groups.place(wrong) < negatives))
    return Advantages(on_tokens(groups.centred(total), scores, mask).values, keep=keep)
