"""Crucible's attention in transformers models: one new token without repeating the cache, and shared prompts.

`attention` is a transformers attention function (`AttentionInterface`). A policy switches it on in its model, in place
of "sdpa", to which it hands on everything but those two cases. Models with another attention are left alone.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from crucible.policy.shared_prompts import NAME, Layout, shared_prompt_attention


def use_own_attention(model: nn.Module) -> None:
    """Uses `attention` in `model` where it uses sdpa."""
    configs = {id(c): c for m in model.modules() if (c := getattr(m, "config", None)) is not None}
    for config in configs.values():
        if getattr(config, "_attn_implementation", None) == "sdpa":
            config._attn_implementation = NAME


def attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    *,
    layout: Layout | None = None,
    **rest: Any,
) -> tuple[Tensor, None]:
    """(R, H, T, d) queries on (R, H_kv, S, d) keys and values -> (R, T, H, d)."""
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    if layout is not None:
        q, k, v = (states[0].transpose(0, 1) for states in (query, key, value))
        return shared_prompt_attention(q, k, v, scale, layout)[None], None
    boolean = attention_mask is None or attention_mask.dtype == torch.bool
    if query.shape[2] == 1 and boolean and rest.get("position_bias") is None:
        return grouped_attention(query, key, value, attention_mask, scale), None
    return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **rest)


def grouped_attention(query: Tensor, key: Tensor, value: Tensor, visible: Tensor | None, scaling: float) -> Tensor:
    """One query position: (R, H, 1, d) against keys and values (R, H_kv, S, d) -> (R, 1, H, d).

    The H/H_kv query heads that share a key-value head are laid out as query *positions* of that head:
    the same sums as with repeated keys and values, which are never copied. `visible` is boolean and
    broadcasts to (R, H_kv, 1, S). On a CPU, where its fused kernel takes twice as long for such short
    queries, the products are written out.
    """
    rows, heads, _, dim = query.shape
    grouped = query.reshape(rows, key.shape[1], heads // key.shape[1], dim)
    if query.device.type == "cpu":
        scores = (grouped * scaling) @ key.transpose(2, 3)
        if visible is not None:
            scores = scores.masked_fill(~visible, -float("inf"))
        out = scores.softmax(-1) @ value
    else:
        out = scaled_dot_product_attention(grouped, key, value, attn_mask=visible, scale=scaling)
    return out.reshape(rows, 1, heads, value.shape[-1])


AttentionInterface.register(NAME, attention)
AttentionMaskInterface.register(NAME, sdpa_mask)
