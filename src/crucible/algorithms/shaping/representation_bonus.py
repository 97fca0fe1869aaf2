"""Representation-based exploration: a bonus for completions whose hidden states stand apart from their group's."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from crucible.algorithms.groups import Groups, reward_groups, rewarded
from crucible.algorithms.shaping.change import with_total
from crucible.config.needs import needs
from crucible.errors import UserError
from crucible.types import Scores


@needs(min_samples_per_prompt=2, because="the bonus compares the completions of a prompt")
def representation_bonus(
    scores: Scores,
    group: Tensor,
    mask: Tensor,
    hidden: Tensor,
    *,
    beta: float = 0.01,
    projection: int | None = 32,
    ridge: Annotated[float, "> 0"] = 0.01,
    centre: bool = True,
    right_reward: float = 1.0,
    seed: int = 0,
) -> Scores:
    """R + beta u, u = h' (sum_g h h' + ridge)^-1 h: the leverage of the row's mean hidden state in its group.

    2510.11686 (authors' recipe): beta 0.01, `projection` 32 dimensions (128 for the DAPO data) by a fixed sparse
    random matrix drawn from `seed`, states centred on the group. Leverages of a group add up to its rank at most,
    and equal states share one unit. No bonus where no row of the group is right. ridge: inferred, not found; with
    no more rows than dimensions and no ridge every leverage would be near 1. Group of one: 0 when centred.

    `projection` null, or at least the width of the model, leaves the states as they are.
    """
    if ridge <= 0.0:
        raise UserError(f"representation_bonus: ridge is {ridge}; give more than 0")
    total, groups = reward_groups(scores, group)
    states = _projected(hidden.to(total.dtype), projection, seed)
    states = torch.where(groups.valid.unsqueeze(-1), states, torch.zeros_like(states))
    if centre:
        states = torch.where(groups.valid.unsqueeze(-1), states - _group_sum(states, groups) / _size(groups), 0.0)
    spread = torch.zeros(groups.number, *(2 * states.shape[-1:]), dtype=states.dtype, device=states.device)
    spread = spread.index_add(0, groups.index, states.unsqueeze(-1) * states.unsqueeze(-2))
    spread = spread + ridge * torch.eye(states.shape[-1], dtype=states.dtype, device=states.device)
    inverse = torch.linalg.inv(spread)
    leverage = torch.einsum("nd,nde,ne->n", states, inverse[groups.index], states)
    solved = groups.sum(rewarded(scores, right_reward).to(total.dtype)) > 0
    return with_total(scores, total + torch.where(solved, beta * leverage, torch.zeros_like(total)), mask)


def _group_sum(states: Tensor, groups: Groups) -> Tensor:
    sums = torch.zeros(groups.number, states.shape[-1], dtype=states.dtype, device=states.device)
    return sums.index_add(0, groups.index, states)[groups.index]


def _size(groups: Groups) -> Tensor:
    return groups.size.clamp(min=1.0).unsqueeze(-1)


def _projected(states: Tensor, dimensions: int | None, seed: int) -> Tensor:
    """(N, D) -> (N, d) by a matrix of -1, 0 and 1 with probabilities 1/6, 2/3, 1/6, scaled to keep lengths."""
    width = states.shape[-1]
    if dimensions is None or dimensions >= width:
        return states
    draw = torch.randint(0, 6, (width, dimensions), generator=torch.Generator().manual_seed(seed))
    signs = (draw == 0).to(states.dtype) - (draw == 5).to(states.dtype)
    return states @ (signs * (3.0 / dimensions) ** 0.5).to(states.device)
