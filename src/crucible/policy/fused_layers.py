"""Attention layers of Llama-like models over a shared-prompt row, with a rotation whose gradient is written out.

transformers turns queries and keys with five operations each, whose gradients are ten more passes over memory. Here
they are three and three, and nothing is transposed before the rows are laid out. Values and gradients differ by
rounding. With the norms (`fused_norms`), MLPs (`fused_mlp`) and `short_attention` this is what `model.fused_layers`
switches.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from crucible.policy import fused_mlp
from crucible.policy.fused_norms import use_forward, use_fused_norms
from crucible.policy.shared_prompts import Layout, shared_prompt_attention

FAMILIES = ("LlamaAttention", "MistralAttention", "Qwen2Attention", "Qwen3Attention")  # project, (norm,) rotate, attend


def use_fused_layers(model: nn.Module, on: bool = True) -> None:
    """Uses norms, MLPs and attention layers of our own in `model` where they compute the same, or (`on` false) not."""
    use_fused_norms(model, on)
    use_forward(model, fused_mlp.FAMILIES, fused_mlp.forward if on else None)
    use_forward(model, FAMILIES, forward if on else None)


def forward(self: Any, hidden_states: Tensor, *given: Any, layout: Layout | None = None, **named: Any) -> Any:
    """The module's forward, written out for a row of shared prompts (1, L, D)."""
    if layout is None:
        return type(self).forward(self, hidden_states, *given, **named)
    cos, sin = named["position_embeddings"]
    row = hidden_states[0]
    heads = (len(row), -1, self.head_dim)
    query, key, value = (project(row).view(heads) for project in (self.q_proj, self.k_proj, self.v_proj))
    if hasattr(self, "q_norm"):
        query, key = self.q_norm(query), self.k_norm(key)
    query, key = (rotated(states, cos[0][:, None], sin[0][:, None]) for states in (query, key))
    out = shared_prompt_attention(query, key, value, self.scaling, layout, short=True)
    return self.o_proj(out.reshape(1, len(row), -1)), None


def rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary position embedding (2104.09864) in pairs (i, i + d/2): (L, H, d) by angles of (L, 1, d) -> (L, H, d)."""
    out: Tensor = _Rotated.apply(x, cos, sin)
    return out


class _Rotated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        out = x * cos
        (a, b), (one, other), (s, t) = (states.chunk(2, -1) for states in (out, x, sin))
        a.addcmul_(other, s, value=-1)
        b.addcmul_(one, t)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_out: Tensor) -> tuple[Tensor, None, None]:
        cos, sin = ctx.saved_tensors
        by_x = by_out * cos
        (a, b), (one, other), (s, t) = (states.chunk(2, -1) for states in (by_x, by_out, sin))
        a.addcmul_(other, t)
        b.addcmul_(one, s, value=-1)
        return by_x, None, None
