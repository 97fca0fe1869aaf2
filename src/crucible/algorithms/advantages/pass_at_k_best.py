"""Pass@k GRPO: only the best completion of a group learns, from its lead over the second best."""

from __future__ import annotations

import torch
from torch import Tensor

from crucible.algorithms.groups import on_tokens, reward_groups
from crucible.config.needs import needs
from crucible.types import Advantages, Scores


@needs(min_samples_per_prompt=2, because="the lead of the best completion is over a second one")
def pass_at_k_best(
    scores: Scores, group: Tensor, mask: Tensor, *, divide_by_std: bool = False, eps: float = 1e-6
) -> Advantages:
    """R_best - R_second on the best row of each group, 0 on all others.

    2503.19595, as verl's grpo_passk: an unbiased gradient of the best of k = group size. With `divide_by_std`
    divided by the group's (std + eps), n - 1 in the variance, as verl does when it normalises.
    Several best rows, equal rewards, a group of one: 0. With 0/1 rewards only a group with exactly one right
    answer learns.
    """
    total, groups = reward_groups(scores, group)
    best = groups.valid & (total == groups.most(total))
    second = groups.most(torch.where(best, torch.full_like(total, float("-inf")), total))
    alone = groups.sum(best.to(total.dtype)) == 1.0
    lead = torch.where(best & alone & second.isfinite(), total - second, torch.zeros_like(total))
    if divide_by_std:
        variance = groups.sum(groups.centred(total).square()) / (groups.size - 1.0).clamp(min=1.0)
        lead = lead / (variance.sqrt() + eps)
    return on_tokens(lead, scores, mask)
