"""Attention of a single new token with grouped key-value heads, without repeating the cache.

`grouped_decode` is a transformers attention function (`AttentionInterface`), switched on only while
the engine decodes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

NAME = "crucible_grouped_decode"


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
            scores.masked_fill_(~visible, -float("inf"))
        out = scores.softmax(-1) @ value
    else:
        out = scaled_dot_product_attention(grouped, key, value, attn_mask=visible, scale=scaling)
    return out.reshape(rows, 1, heads, value.shape[-1])


def grouped_decode(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """`grouped_attention` for a single position; anything else goes to transformers' own sdpa function."""
    if query.shape[2] != 1 or kwargs.get("position_bias") is not None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **kwargs)
    return grouped_attention(query, key, value, attention_mask, scaling or query.shape[-1] ** -0.5), None


AttentionInterface.register(NAME, grouped_decode)
AttentionMaskInterface.register(NAME, sdpa_mask)


@contextmanager
def decoding_attention(model: nn.Module) -> Iterator[None]:
    """Uses `grouped_decode` in `model` for the time being where it uses sdpa; others are left alone."""
    configs = {id(c): c for m in model.modules() if (c := getattr(m, "config", None)) is not None}
    changed = [c for c in configs.values() if getattr(c, "_attn_implementation", None) == "sdpa"]
    try:
        for config in changed:
            config._attn_implementation = NAME
        yield
    finally:
        for config in changed:
            config._attn_implementation = "sdpa"
