"""OREAL's choice: one right and one wrong completion of each prompt, with leave-one-out advantages."""

from __future__ import annotations

import torch
from torch import Tensor

from crucible.algorithms.groups import on_tokens, reward_groups, rewarded
from crucible.config.needs import needs
from crucible.types import Advantages, Scores


@needs(min_samples_per_prompt=2, because="a group of one has nothing to be compared with")
def oreal(
    scores: Scores, group: Tensor, mask: Tensor, *, right_reward: float = 1.0, negative: float = 0.5
) -> Advantages:
    """R - mean of the group's other rows, kept for the first right and the first wrong row; wrong ones x `negative`.

    OREAL, 2502.06781 (authors' code): G 16, weight of the negative side 0.5. The advantage is over the whole group.
    The rows are independent draws, so the first of a kind is a random one. A prompt without a right or without a
    wrong row is left out. Equal rewards, group of one: 0.

    Differs from the paper: its token weights come from a token-level reward model, its two sides are divided by
    their own token counts, and its positive side is behaviour cloning without a ratio. Here both sides go through
    algo/loss. Add its KL term (0.01 x k3) with algo/kl.
    """
    total, groups = reward_groups(scores, group)
    right = rewarded(scores, right_reward)
    wrong = groups.valid & ~right
    both = (groups.sum(right.to(total.dtype)) > 0) & (groups.sum(wrong.to(total.dtype)) > 0)
    keep = both & ((right & (groups.place(right) == 0)) | (wrong & (groups.place(wrong) == 0)))
    others = (groups.size - 1.0).clamp(min=1.0)
    found = groups.centred(total) * groups.size / others
    weighed = torch.where(wrong, negative * found, found)
    return Advantages(on_tokens(weighed, scores, mask).values, keep=keep)
