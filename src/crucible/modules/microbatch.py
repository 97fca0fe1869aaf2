"""Cutting the rows of an optimiser step into micro-batches, and a rollout step into optimiser steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from crucible.types import Rollouts

if TYPE_CHECKING:
    from crucible.policy.policy import Policy
    from crucible.policy.token_stats import TokenStats


@dataclass(slots=True)
class MicroBatch:
    """Rows that go through the model together, without the padding that only other rows need."""

    rollouts: Rollouts
    index: Tensor  # (K,) row numbers
    prompt_width: int
    width: int  # completion tokens of the longest row

    def of(self, values: Tensor) -> Tensor:
        """(N, T) -> (K, width): these rows of a per-token tensor."""
        return values[self.index, : self.width]

    def forward(self, policy: Policy, *, entropy_gradient: bool) -> TokenStats:
        x, device = self.rollouts, policy.model.device
        return policy.token_stats(
            x.prompt_ids[self.index, x.prompt_ids.shape[1] - self.prompt_width :].to(device),
            x.prompt_mask[self.index, x.prompt_ids.shape[1] - self.prompt_width :].to(device),
            self.of(x.completion_ids).to(device),
            self.of(x.mask).to(device),
            temperature=x.temperature,
            entropy_gradient=entropy_gradient,
        )


def micro_batches(rollouts: Rollouts, rows: Tensor, tokens: int) -> Iterator[MicroBatch]:
    """`rows` (K,) in pieces of at most `tokens` padded tokens each, shortest first; at least one row a piece."""
    prompts = rollouts.prompt_mask[rows].sum(-1)
    completions = rollouts.mask[rows].sum(-1).long()
    order = torch.argsort(prompts + completions, stable=True)
    start, widest_prompt, widest = 0, 0, 0
    pieces: list[tuple[int, int, int, int]] = []
    for at, i in enumerate(order.tolist()):
        p, c = max(widest_prompt, int(prompts[i])), max(widest, int(completions[i]))
        if at > start and (p + c) * (at - start + 1) > tokens:
            pieces.append((start, at, widest_prompt, widest))
            start, p, c = at, int(prompts[i]), int(completions[i])
        widest_prompt, widest = p, c
    if len(order):
        pieces.append((start, len(order), widest_prompt, widest))
    for first, end, prompt_width, width in pieces:
        yield MicroBatch(rollouts, rows[order[first:end]], prompt_width, max(width, 1))


def split_groups(group: Tensor, keep: Tensor, updates: int, order: torch.Generator) -> list[Tensor]:
    """Row numbers of each of `updates` optimiser steps: whole groups, shuffled, kept rows only.

    A group is never torn apart. Fewer groups than updates leave the last updates without rows.
    """
    groups = group[keep].unique()
    shuffled = groups[torch.randperm(len(groups), generator=order)]
    pieces = torch.tensor_split(shuffled, updates)
    return [torch.nonzero(torch.isin(group, piece) & keep).flatten() for piece in pieces]
