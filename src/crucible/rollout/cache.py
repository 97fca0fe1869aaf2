"""A key-value cache with little empty room, whose rows can be dropped as they finish."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

from crucible.policy.attention import grouped_attention

FIRST, GROWTH = 8, 1.125  # tokens a row has room for at first; so many times more whenever it is full


class GrowingLayer(CacheLayerMixin):
    """Keys and values of one layer, (rows, kv heads, room, head dim) each, filled from the left.

    `update` writes in place and returns views of the filled part, so most decoding steps copy one token and not the
    whole cache. The room grows with the rows, to `capacity` at most: attention reads rows with much empty room between
    them at half the speed.
    """

    is_sliding = False
    keys: Tensor
    values: Tensor

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self.capacity = capacity
        self.length = 0

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        for name, states in (("keys", key_states), ("values", value_states)):
            rows, heads, _, dim = states.shape
            setattr(self, name, states.new_empty(rows, heads, 0, dim))
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start, self.length = self.length, self.length + key_states.shape[2]
        if self.length > self.keys.shape[2]:
            self._grow(start)
        self.keys[:, :, start : self.length] = key_states
        self.values[:, :, start : self.length] = value_states
        return self.keys[:, :, : self.length], self.values[:, :, : self.length]

    def _grow(self, filled: int) -> None:
        if self.length > self.capacity:
            raise ValueError(f"{self.length} tokens in a cache for {self.capacity}")
        for name in ("keys", "values"):
            old = getattr(self, name)
            rows, heads, room, dim = old.shape
            room = min(self.capacity, max(self.length, FIRST, int(GROWTH * room)))
            new = old.new_empty(rows, heads, room, dim)
            new[:, :, :filled] = old[:, :, :filled]
            setattr(self, name, new)

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.length + query_length, 0

    def get_seq_length(self) -> int:
        return self.length

    def get_max_length(self) -> int:
        return self.capacity


class RowCache(Cache):
    """One `GrowingLayer` a layer, for a fixed number of tokens a row."""

    def __init__(self, layers: int, capacity: int) -> None:
        self.rows = [GrowingLayer(capacity) for _ in range(layers)]
        super().__init__(layers=list(self.rows))

    def expand(self, source: Tensor, capacity: int) -> RowCache:
        """A cache with room for `capacity` tokens whose row i starts as a copy of row `source[i]`."""
        wide = RowCache(len(self.rows), capacity)
        for old, new in zip(self.rows, wide.rows, strict=True):
            new.update(
                old.keys[:, :, : old.length].index_select(0, source),
                old.values[:, :, : old.length].index_select(0, source),
            )
        return wide

    def attend(
        self, index: int, query: Tensor, key: Tensor, value: Tensor, visible: Tensor | None, scaling: float
    ) -> Tensor:
        """The new token of each row in layer `index`: (R, H, d), (R, H_kv, d) twice -> (R, H, d)."""
        keys, values = self.update(key[:, :, None], value[:, :, None], index)
        return grouped_attention(query[:, :, None], keys, values, visible, scaling).squeeze(1)

    def shrink(self, rows: int, holes: Tensor, movers: Tensor) -> None:
        """Keeps the first `rows` rows after copying rows `movers` over rows `holes`."""
        for layer in self.rows if self.get_seq_length() else []:  # an empty one gets its rows with the first token
            for name in ("keys", "values"):
                buffer = getattr(layer, name)
                if len(holes):
                    buffer[holes, :, : layer.length] = buffer[movers, :, : layer.length]
                setattr(layer, name, buffer[:rows])


def fill_holes(keep: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """How to pack the rows where `keep` (R,) bool into the front with the fewest moves.

    Returns (order, holes, movers): after rows `movers` are copied over rows `holes`, the first
    len(order) rows are the old rows `order`.
    """
    alive = int(keep.sum())
    order = torch.arange(alive, device=keep.device)
    holes = (~keep[:alive]).nonzero().squeeze(1)
    movers = keep[alive:].nonzero().squeeze(1) + alive
    order[holes] = movers
    return order, holes, movers
