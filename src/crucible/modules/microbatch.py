"""Cutting the rows of an optimiser step into micro-batches, and a rollout step into optimiser steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from crucible.ranks import Ranks
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
        """These rows of a per-token tensor, (N, T) -> (K, width), or of a per-row one, (N,) -> (K,)."""
        return values[self.index, : self.width] if values.dim() > 1 else values[self.index]

    def forward(self, policy: Policy, **options: Any) -> TokenStats:
        """What `Policy.token_stats` says of these rows; `options` are its own."""
        x, device = self.rollouts, policy.model.device
        return policy.token_stats(
            x.prompt_ids[self.index, x.prompt_ids.shape[1] - self.prompt_width :].to(device),
            x.prompt_mask[self.index, x.prompt_ids.shape[1] - self.prompt_width :].to(device),
            self.of(x.completion_ids).to(device),
            self.of(x.mask).to(device),
            temperature=x.temperature,
            **options,
        )


def micro_batches(rollouts: Rollouts, rows: Tensor, tokens: int, *, whole_groups: bool = False) -> Iterator[MicroBatch]:
    """`rows` (K,) in pieces of at most `tokens` padded tokens each, shortest first; at least one row a piece.

    With `whole_groups` the rows of one prompt stay together, and a piece has at least one group: a group of more
    than `tokens` is a piece of its own, so the memory follows the largest group.
    """
    prompts = rollouts.prompt_mask[rows].sum(-1)
    completions = rollouts.mask[rows].sum(-1).long()
    units = _units(prompts + completions, rollouts.group[rows] if whole_groups else None)
    prompt_widths, widths = prompts.tolist(), completions.tolist()
    piece, widest_prompt, widest = list[int](), 0, 0
    for unit in units:
        p = max(widest_prompt, *(prompt_widths[i] for i in unit))
        c = max(widest, *(widths[i] for i in unit))
        if piece and (p + c) * (len(piece) + len(unit)) > tokens:
            yield MicroBatch(rollouts, rows[piece], widest_prompt, max(widest, 1))
            piece = []
            p, c = max(prompt_widths[i] for i in unit), max(widths[i] for i in unit)
        piece, widest_prompt, widest = piece + unit, p, c
    if piece:
        yield MicroBatch(rollouts, rows[piece], widest_prompt, max(widest, 1))


def _units(lengths: Tensor, group: Tensor | None) -> list[list[int]]:
    """What must not be torn apart, shortest first: single rows, or the rows of each group."""
    order = torch.argsort(lengths, stable=True).tolist()
    if group is None:
        return [[i] for i in order]
    found: dict[int, list[int]] = {}
    for i in reversed(order):  # a group is met at its longest row
        found.setdefault(int(group[i]), []).insert(0, i)
    return list(reversed(found.values()))


def split_groups(group: Tensor, times: Tensor, updates: int, order: torch.Generator) -> list[Tensor]:
    """Row numbers of each of `updates` optimiser steps: whole groups, shuffled, each row `times` (bool, or int64).

    A group is never torn apart. Fewer groups than updates leave the last updates without rows.
    """
    groups = group[times > 0].unique()
    shuffled = groups[torch.randperm(len(groups), generator=order)]
    pieces = torch.tensor_split(shuffled, updates)
    found = [torch.nonzero(torch.isin(group, piece) & (times > 0)).flatten() for piece in pieces]
    return found if times.dtype == torch.bool else [rows.repeat_interleave(times[rows]) for rows in found]


def rows_of_rank(group: Tensor, rows: Tensor, ranks: Ranks) -> Tensor:
    """Those of `rows` (K,) that are this rank's: whole groups, as even in number as can be."""
    if ranks.world == 1:
        return rows
    groups = group[rows].unique()
    mine = ranks.share(len(groups))
    return rows[torch.isin(group[rows], groups[mine.start : mine.stop])]
