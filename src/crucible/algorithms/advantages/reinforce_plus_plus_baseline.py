"""REINFORCE++-baseline: centred within the group, whitened over the tokens of the batch."""

from __future__ import annotations

import torch
from torch import Tensor

from crucible.algorithms.groups import on_tokens, reward_groups
from crucible.config.needs import needs
from crucible.types import Advantages, Scores


@needs(min_samples_per_prompt=2, because="a group of one has nothing to be compared with")
def reinforce_plus_plus_baseline(scores: Scores, group: Tensor, mask: Tensor, *, eps: float = 1e-8) -> Advantages:
    """(a - mean) / sqrt(variance + eps) of a = R - mean_g, both over all tokens of valid rows (n - 1).

    REINFORCE++, 2501.03262, the variant with a group baseline. eps is inside the root, 1e-8 as in verl.
    Long completions weigh more in the statistics, and when lengths differ rows of a group without signal
    get the small constant -mean / std. Every group without signal, or a single token: 0. Differs from
    verl: a group of one is centred to 0, not left at its raw reward.
    """
    total, groups = reward_groups(scores, group)
    centred = groups.centred(total)
    tokens = torch.where(groups.valid, mask.sum(-1).to(total.dtype), torch.zeros_like(total))
    n = tokens.sum()
    deviation = centred - (tokens * centred).sum() / n.clamp(min=1.0)
    variance = (tokens * deviation.square()).sum() / (n - 1.0).clamp(min=1.0)
    white = torch.where(groups.valid, deviation / (variance + eps).sqrt(), torch.zeros_like(total))
    return on_tokens(white, scores, mask)
