"""Attention of short completions on a CPU as matrix products, with a gradient of its own.

torch's fused kernel works in blocks of 32 queries where a row has less than 192. Its small products do not reach the
rate of large ones, and two threads are hardly faster than one. Here each product is one batch of all rows. The weights
are kept for the gradient, which the fused kernel makes again, so this is for short rows only. Values and gradients
differ by rounding.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

QUERIES_OF_LARGER_BLOCKS = 192  # of torch's kernel, from here on
DTYPES = (torch.float32, torch.float64)  # in shorter ones the fused kernel keeps its sums in float32


def fits(query: Tensor, key: Tensor) -> bool:
    """Whether products are the faster way for (R, T, H, d) queries on (R, T, H_kv, d) keys."""
    queries = query.shape[1] * query.shape[2] // key.shape[2]
    return query.device.type == "cpu" and query.dtype in DTYPES and queries < QUERIES_OF_LARGER_BLOCKS


def short_attention(
    query: Tensor, prompt: tuple[Tensor, Tensor], own: tuple[Tensor, Tensor], source: Tensor, mask: Tensor, scale: float
) -> Tensor:
    """(R, T, H, d) queries -> (R, T, H, d), on the keys and values of each row's prompt and its own.

    `prompt` (P, Tp, H_kv, d) twice, `own` (R, T, H_kv, d) twice; `source` (R,) the prompt of each row; `mask`
    (R or 1, 1, T x H / H_kv, Tp + T) is added to the scores.
    """
    out: Tensor = _Short.apply(query, *prompt, *own, source, mask, scale)
    return out


class _Short(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, query: Tensor, prompt_k: Tensor, prompt_v: Tensor, own_k: Tensor, own_v: Tensor, source: Tensor,
        mask: Tensor, scale: float,
    ) -> Tensor:  # fmt: skip
        grid = _side_by_side(query, own_k.shape[2])
        q = torch.mul(grid, scale, out=grid.new_empty(grid.shape)).flatten(2, 3).flatten(0, 1)
        k, v = (_joined(a, b, source) for a, b in ((prompt_k, own_k), (prompt_v, own_v)))
        scores = torch.bmm(q, k.transpose(1, 2))
        scores.view(*grid.shape[:2], *scores.shape[1:]).add_(mask)
        weights = scores.softmax(-1)
        ctx.save_for_backward(q, k, v, weights, source)
        ctx.scale, ctx.prompts = scale, prompt_k.shape[:2]
        return torch.bmm(weights, v).view(grid.shape).transpose(1, 2).reshape(query.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_out: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, weights, source = ctx.saved_tensors
        grid = _side_by_side(by_out, len(q) // len(by_out))
        by = grid.reshape(q.shape)
        by_scores = torch.bmm(by, v.transpose(1, 2))
        torch.ops.aten._softmax_backward_data(by_scores, weights, -1, weights.dtype, grad_input=by_scores)
        by_query = torch.empty_like(by_out)
        torch.mul(torch.bmm(by_scores, k).view(grid.shape), ctx.scale, out=_side_by_side(by_query, grid.shape[1]))
        (prompt_k, own_k), (prompt_v, own_v) = (
            _parted(torch.bmm(left.transpose(1, 2), right).view(*grid.shape[:2], *k.shape[1:]), source, *ctx.prompts)
            for left, right in ((by_scores, q), (weights, by))
        )
        return by_query, prompt_k, prompt_v, own_k, own_v, None, None, None


def _side_by_side(states: Tensor, shared: int) -> Tensor:
    """(R, T, H, d) -> a view (R, H_kv, T, H / H_kv, d): a token's queries of one key-value head side by side."""
    rows, width, heads, dim = states.shape
    return states.view(rows, width, shared, heads // shared, dim).transpose(1, 2)


def _joined(prompt: Tensor, own: Tensor, source: Tensor) -> Tensor:
    """(P, Tp, H_kv, d) and (R, T, H_kv, d) -> (R x H_kv, Tp + T, d)."""
    rows, width, heads, dim = own.shape
    joined = own.new_empty(rows, heads, prompt.shape[1] + width, dim)
    joined[:, :, : prompt.shape[1]] = prompt.transpose(1, 2).index_select(0, source)
    joined[:, :, prompt.shape[1] :] = own.transpose(1, 2)
    return joined.flatten(0, 1)


def _parted(by: Tensor, source: Tensor, prompts: int, width: int) -> tuple[Tensor, Tensor]:
    """The gradients of `_joined`'s two, from that of its result (R, H_kv, Tp + T, d)."""
    prompt = by.new_zeros(prompts, by.shape[1], width, by.shape[3]).index_add_(0, source, by[:, :, :width])
    return prompt.transpose(1, 2), by[:, :, width:].transpose(1, 2)
