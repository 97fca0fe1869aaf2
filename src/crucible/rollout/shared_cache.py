"""A key-value cache in which all samples of a prompt read one copy of the prompt's keys and values.

The queries of a prompt's samples go together against that copy, as the rows of one matrix product; each row has only
the tokens of its own completion to itself. With 8 samples of 64 tokens after 64 prompt tokens that is less than half of
what rows with a copy each have to read.
"""

from __future__ import annotations

import torch
from torch import Tensor

from crucible.rollout.cache import RowCache


class SharedCache:
    """Of `prompts` (P rows, filled) for `samples` rows of each, adjacent, with room for `capacity` tokens a row.

    `seen` (P, Tp): which prompt tokens are real. A row has a slot, its prompt's number x samples + its own; rows leave
    by `shrink`, their slots stay empty, and prompts without a row leave when half of them have none.
    """

    def __init__(self, prompts: RowCache, samples: int, capacity: int, seen: Tensor) -> None:
        width = prompts.get_seq_length()
        self.prompts = [(layer.keys[:, :, :width], layer.values[:, :, :width]) for layer in prompts.rows]
        self.hidden = None if bool(seen.all()) else (seen == 0)[:, None, None, :]
        self.own = RowCache(len(self.prompts), capacity)
        self.samples = samples
        self.slot: Tensor | None = None  # (R,) of each row; None while every slot has its row
        self.rows = len(seen) * samples

    def attend(
        self, index: int, query: Tensor, key: Tensor, value: Tensor, visible: Tensor | None, scaling: float
    ) -> Tensor:
        """The new token of each row in layer `index`: (R, H, d), (R, H_kv, d) twice -> (R, H, d). All is visible."""
        rows, heads, dim = query.shape
        shared = key.shape[1]
        prompt_keys, prompt_values = self.prompts[index]
        own_keys, own_values = self.own.update(key[:, :, None], value[:, :, None], index)
        scaled = query.view(rows, shared, heads // shared, dim) * scaling
        before = self._together(scaled) @ prompt_keys.transpose(2, 3)
        if self.hidden is not None:
            before = before.masked_fill(self.hidden, -torch.inf)
        scores = torch.cat([self._apart(before, rows), scaled @ own_keys.transpose(2, 3)], -1)
        width = prompt_keys.shape[2]
        weights = scores.softmax(-1)
        out = self._apart(self._together(weights[..., :width]) @ prompt_values, rows)
        return (out + weights[..., width:] @ own_values).reshape(rows, heads, dim)

    def shrink(self, rows: int, holes: Tensor, movers: Tensor) -> None:
        """Keeps the first `rows` rows after moving rows `movers` to `holes`."""
        slot = torch.arange(self.rows, device=holes.device) if self.slot is None else self.slot
        slot = slot.index_put((holes,), slot[movers])[:rows]
        self.own.shrink(rows, holes, movers)
        prompts, number = (slot // self.samples).unique(return_inverse=True)
        if 2 * len(prompts) <= len(self.prompts[0][0]):
            self.prompts = [(keys[prompts], values[prompts]) for keys, values in self.prompts]
            self.hidden = None if self.hidden is None else self.hidden[prompts]
            slot = number * self.samples + slot % self.samples
        self.slot, self.rows = slot, rows

    def _together(self, rows: Tensor) -> Tensor:
        """(R, H_kv, g, x) -> (P, H_kv, samples x g, x), zeros in empty slots."""
        if self.slot is not None:
            filled = rows.new_zeros(len(self.prompts[0][0]) * self.samples, *rows.shape[1:])
            rows = filled.index_copy_(0, self.slot, rows)
        slots, shared, group, width = rows.shape
        grid = rows.view(slots // self.samples, self.samples, shared, group, width).transpose(1, 2)
        return grid.reshape(len(grid), shared, self.samples * group, width)

    def _apart(self, grid: Tensor, rows: int) -> Tensor:
        """(P, H_kv, samples x g, x) -> (R, H_kv, g, x)."""
        prompts, shared, height, width = grid.shape
        group = height // self.samples
        slots = grid.view(prompts, shared, self.samples, group, width).transpose(1, 2)
        slots = slots.reshape(prompts * self.samples, shared, group, width)
        return slots if self.slot is None else slots[self.slot]
