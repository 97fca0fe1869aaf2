"""Cutting the rows of an optimiser step into micro-batches, and a rollout step into optimiser steps."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import accumulate, groupby
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from crucible.policy.shards import in_shards
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
        x, device = self.rollouts, policy.device
        return policy.token_stats(
            x.prompt_ids[self.index, x.prompt_ids.shape[1] - self.prompt_width :].to(device),
            x.prompt_mask[self.index, x.prompt_ids.shape[1] - self.prompt_width :].to(device),
            self.of(x.completion_ids).to(device),
            self.of(x.mask).to(device),
            temperature=x.temperature,
            **options,
        )


def micro_batches(
    rollouts: Rollouts, rows: Tensor, tokens: int, *, whole_groups: bool = False, shared: bool = False
) -> Iterator[MicroBatch]:
    """`rows` (K,) in pieces of at most `tokens` tokens each, short ones first; at least one row a piece.

    With `whole_groups` the rows of one prompt stay together, and a piece has at least one group: a group of more
    than `tokens` is a piece of its own, so the memory follows the largest group. With `shared`, for policies that
    compute a prompt once and no padding (`Policy.shares`), they stay together as far as they fit, prompts count
    once, and the pieces are as even as can be; otherwise tokens are those of padded rows.
    """
    prompts = rollouts.prompt_mask[rows].sum(-1)
    lengths = rollouts.mask[rows].sum(-1).long()
    units = _units(prompts + lengths, rollouts.group[rows] if whole_groups or shared else None)
    sizes = [_Size(1, p, c, shared) for p, c in zip(prompts.tolist(), lengths.tolist(), strict=True)]
    if shared:
        if not whole_groups:
            units = [part for unit in units for part in _parts(unit, sizes, tokens)]
        costs = [functools.reduce(_Size.of_one_prompt, (sizes[i] for i in unit)).tokens for unit in units]
        for own in _even(costs, tokens):
            yield _micro_batch(rollouts, rows[[i for unit in own for i in units[unit]]])
        return
    piece: list[int] = []
    so_far: _Size | None = None
    for unit in units:
        own = functools.reduce(_Size.of_one_prompt, (sizes[i] for i in unit))
        together = own if so_far is None else so_far + own
        if piece and together.tokens > tokens:
            yield _micro_batch(rollouts, rows[piece])
            piece, together = [], own
        piece, so_far = piece + unit, together
    if piece:
        yield _micro_batch(rollouts, rows[piece])


@dataclass(frozen=True, slots=True)
class _Size:
    """`rows` rows together. Shared: the sum of their prompts, each once, and of their completions; else the longest."""

    rows: int
    prompt: int
    completion: int
    shared: bool

    @property
    def tokens(self) -> int:
        return (self.prompt + self.completion) * (1 if self.shared else self.rows)

    def __add__(self, other: _Size) -> _Size:
        join: Callable[[int, int], int] = operator.add if self.shared else max
        prompt, completion = join(self.prompt, other.prompt), join(self.completion, other.completion)
        return _Size(self.rows + other.rows, prompt, completion, self.shared)

    def of_one_prompt(self, other: _Size) -> _Size:
        return replace(self + other, prompt=max(self.prompt, other.prompt))


def _parts(unit: list[int], sizes: list[_Size], tokens: int) -> Iterator[list[int]]:
    """The rows of one prompt in as few parts as the tokens allow, each with at least one row."""
    part, size = unit[:1], sizes[unit[0]]
    for i in unit[1:]:
        together = size.of_one_prompt(sizes[i])
        if together.tokens > tokens:
            yield part
            part, together = [], sizes[i]
        part, size = [*part, i], together
    yield part


def _even(costs: list[int], most: int) -> Iterator[list[int]]:
    """The numbers of the units, in order, in the fewest pieces of at most `most` each (or of one unit), cut where the
    middle of a unit passes an equal share of the whole."""
    whole = sum(costs)
    middles = [2 * before + cost for before, cost in zip(accumulate(costs, initial=0), costs, strict=False)]
    for count in range(max(1, -(-whole // most)), len(costs) + 1):
        pieces = [list(own) for _, own in groupby(range(len(costs)), lambda i, n=count: middles[i] * n // (2 * whole))]
        if all(len(own) == 1 or sum(costs[i] for i in own) <= most for own in pieces):
            yield from pieces
            return
    yield from ([i] for i in range(len(costs)))


def _micro_batch(rollouts: Rollouts, index: Tensor) -> MicroBatch:
    widest_prompt = int(rollouts.prompt_mask[index].sum(-1).max())
    widest = int(rollouts.mask[index].sum(-1).max())
    return MicroBatch(rollouts, index, widest_prompt, max(widest, 1))


def _units(lengths: Tensor, group: Tensor | None) -> list[list[int]]:
    """What is to stay together, shortest first: single rows, or the rows of each group."""
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


def in_step(
    parts: Iterable[MicroBatch], ranks: Ranks, policy: Policy, backward: Callable[[Tensor], None]
) -> Iterator[MicroBatch]:
    """The micro-batches of one rank's rows, for a loop that makes one pass forward and back for each.

    Where weights lie in shards, a pass takes all ranks, and token budgets give them different numbers of micro-batches:
    then idle passes follow, of which nothing is learned, until every rank has made as many as the one with most.
    """
    if not ranks.sharded:
        yield from parts
        return
    mine = list(parts)
    most = max(ranks.gather(len(mine)))
    yield from mine
    for _ in range(most - len(mine)):
        ids = torch.full((1, 2), policy.eos_id, device=policy.device)
        backward(0.0 * policy.token_stats(ids, torch.ones_like(ids), ids, torch.ones_like(ids)).logps.sum())
    in_shards(policy.model)
