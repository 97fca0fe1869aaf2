"""TEMPO: the completions of a prompt as a prefix tree; a token is credited with what it changed in the mean."""

from __future__ import annotations

import torch
from torch import Tensor

from crucible.algorithms.groups import reward_groups
from crucible.config.needs import needs
from crucible.types import Advantages, Scores


@needs(min_samples_per_prompt=2, because="a group of one has nothing to be compared with")
def tempo(
    scores: Scores,
    group: Tensor,
    mask: Tensor,
    completion_ids: Tensor,
    *,
    divide_by_std: bool = True,
    eps: float = 1e-6,
) -> Advantages:
    """A_t = [R - mean_g + V(prefix_t+1) - V(prefix_t)] / (std_g + eps), V(prefix) = mean R of the rows that share it.

    TEMPO, 2509.18314 (authors' code), n - 1 in the variance. Where a row is alone on its branch V is its own reward,
    so the difference is 0 and this is group_norm's advantage. A row that has ended leaves the branch. Tokens are
    compared, not texts. Equal rewards: 0. Group of one: 0 (the authors' code gives NaN there).

    The tree needs no loop: rows are sorted as strings, so those that share a prefix are neighbours.
    """
    total, groups = reward_groups(scores, group)
    value = _prefix_means(torch.where(groups.valid, total - groups.least(total), 0.0), groups.valid, groups.index,
                          mask, completion_ids)  # fmt: skip
    centred = groups.centred(total)
    found = centred.unsqueeze(-1) + value[:, 1:] - value[:, :-1]
    if divide_by_std:
        variance = groups.sum(centred.square()) / (groups.size - 1.0).clamp(min=1.0)
        found = found / (variance.sqrt() + eps).unsqueeze(-1)
    return Advantages(torch.where(groups.valid.unsqueeze(-1), found * mask, 0.0), keep=scores.valid)


def _prefix_means(reward: Tensor, valid: Tensor, group: Tensor, mask: Tensor, ids: Tensor) -> Tensor:
    """(N, T + 1) mean reward of the valid rows of the group that start with the same 0 .. T tokens."""
    words = torch.cat([group.unsqueeze(-1), torch.where(mask > 0, ids, -1)], -1)
    different, row_of = torch.unique(words, dim=0, return_inverse=True)  # sorted, first by group
    shared = (different[1:] == different[:-1]).long().cumprod(-1)  # 1 while two neighbours have not parted
    first = torch.ones_like(different[:1])
    branch = torch.cat([first, 1 - shared]).cumsum(0)[row_of] - 1  # (N, T + 1) number of each row's prefix
    place = (branch * branch.shape[1] + torch.arange(branch.shape[1], device=ids.device)).flatten()
    size = branch.numel()
    weight = valid.to(reward.dtype).unsqueeze(-1).expand(branch.shape).flatten()
    zeros = torch.zeros(size, dtype=reward.dtype, device=reward.device)
    counts = zeros.index_add(0, place, weight)
    sums = zeros.index_add(0, place, weight * reward.unsqueeze(-1).expand(branch.shape).flatten())
    return (sums / counts.clamp(min=1.0))[place].reshape(branch.shape)
