"""One decoding step of a small Llama-like model, written out with few and large operations.

At a million parameters most of the time of a step is not arithmetic but the hundreds of small
operations and Python calls of the general modules. Here a layer is four matrix products and two for
attention. The weights are the model's own; the log-probabilities differ by rounding only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, pad, silu

from crucible.policy.onednn import linear_of, spare
from crucible.rollout.cache import RowCache
from crucible.rollout.shared_cache import SharedCache

FAMILIES = ("LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM")
STATIC_ROTATIONS = ("default", "linear", "llama3", "yarn")  # the angle depends on the position alone
# Above this the general modules are no slower, and stacked copies of the weights would cost memory.
LARGEST = 20_000_000


@dataclass(frozen=True, slots=True)
class _Layer:
    qkv: Tensor  # times the weight of the norm before it
    qkv_bias: Tensor | None
    qk_norm: Tensor | None  # (heads + kv heads, head dim)
    out: Tensor
    out_bias: Tensor | None
    gate_up: Tensor  # times the weight of the norm before it
    down: Tensor


class FusedStep:
    """`FusedStep(model, capacity)` copies the weights as they are now; make a new one after an update.

    Calling it with tokens (R,), positions (R,) and the cache gives the last hidden state (R, D) and
    appends to the cache, for at most `capacity` positions.
    """

    @staticmethod
    def fits(model: Any, capacity: int) -> bool:
        """Whether this file computes what `model` computes: family, rotation, activation, window, plain layers."""
        if type(model).__name__.removeprefix("FSDP") not in FAMILIES:  # as torch renames what it has sharded
            return False
        config = model.config
        rope = getattr(config, "rope_parameters", None) or {}
        window = getattr(config, "sliding_window", None)
        linears = [m for layer in model.model.layers for m in layer.modules() if not list(m.children())]
        norms = (type(model.model.norm), nn.Linear, nn.SiLU, type(model.model.layers[0].mlp.act_fn))
        return (
            all(p.dtype == torch.float32 for p in model.parameters())
            and sum(p.numel() for p in model.parameters()) <= LARGEST
            and config.hidden_act == "silu"
            and rope.get("rope_type", "default") in STATIC_ROTATIONS
            and rope.get("partial_rotary_factor", 1.0) == 1.0
            and (window is None or window >= capacity)
            and not getattr(config, "mlp_bias", False)
            and all(type(m) in norms for m in linears)
        )

    def __init__(self, model: Any, capacity: int) -> None:
        config, decoder = model.config, model.model
        attention = decoder.layers[0].self_attn
        self.embed = decoder.embed_tokens.weight
        self.norm = decoder.norm.weight
        self.eps = config.rms_norm_eps
        self.heads = config.num_attention_heads
        self.kv_heads = config.num_key_value_heads
        self.dim = attention.head_dim
        self.scaling = attention.scaling
        self.linear = linear_of(attention.q_proj)
        self.layers = [self._stack(layer) for layer in decoder.layers]
        places = torch.arange(capacity, device=self.embed.device)[None]
        cos, sin = decoder.rotary_emb(self.embed[:1, None], places)
        half = self.dim // 2
        self.cos = cos.transpose(0, 1)  # (capacity, 1, head dim)
        # Rotation pairs dimension i with i + half: x cos + (the other one of the pair) (-+ sin).
        self.sin = torch.cat([-sin[..., :half], sin[..., half:]], -1).transpose(0, 1)

    def _stack(self, layer: Any) -> _Layer:
        a, m = layer.self_attn, layer.mlp
        qkv = (a.q_proj, a.k_proj, a.v_proj)
        norms = None
        if hasattr(a, "q_norm"):
            norms = torch.cat([a.q_norm.weight.expand(self.heads, -1), a.k_norm.weight.expand(self.kv_heads, -1)])
        return _Layer(
            qkv=_columns(torch.cat([p.weight for p in qkv]) * layer.input_layernorm.weight),
            qkv_bias=None if a.q_proj.bias is None else torch.cat([p.bias for p in qkv]),
            qk_norm=norms,
            out=_columns(a.o_proj.weight),
            out_bias=a.o_proj.bias,
            gate_up=_columns(torch.cat([m.gate_proj.weight, m.up_proj.weight]) * layer.post_attention_layernorm.weight),
            down=_columns(m.down_proj.weight),
        )

    def __call__(
        self, tokens: Tensor, positions: Tensor, cache: RowCache | SharedCache, visible: Tensor | None
    ) -> Tensor:
        rows, dim, linear = len(tokens), self.dim, self.linear
        rotated = self.heads + self.kv_heads
        cos, sin = self.cos[positions], self.sin[positions]
        more = (0, 0, 0, spare(rows, self.layers[0].gate_up, linear))
        x = pad(embedding(tokens, self.embed), more)
        for index, w in enumerate(self.layers):
            qkv = linear(_unit(x, self.eps), w.qkv, w.qkv_bias)
            qkv = qkv[:rows].view(rows, rotated + self.kv_heads, dim)
            qk, value = qkv[:, :rotated], qkv[:, rotated:]
            if w.qk_norm is not None:
                qk = _unit(qk, self.eps) * w.qk_norm
            qk = qk * cos + qk.roll(dim // 2, -1) * sin
            seen = cache.attend(index, qk[:, : self.heads], qk[:, self.heads :], value, visible, self.scaling)
            seen = seen.reshape(rows, -1)
            x = x + linear(pad(seen, more) if more[-1] else seen, w.out, w.out_bias)
            gate, up = linear(_unit(x, self.eps), w.gate_up).chunk(2, -1)
            x = x + linear(silu(gate).mul_(up), w.down)
        return _unit(x[:rows], self.eps) * self.norm


def _unit(x: Tensor, eps: float) -> Tensor:
    """x / sqrt(mean(x^2) + eps) over the last dimension, in two passes over memory."""
    length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x * length.square_().div_(x.shape[-1]).add_(eps).rsqrt_()


def _columns(weight: Tensor) -> Tensor:
    """The same (N, K) weight laid out by columns, as oneDNN reads it with fewer steps."""
    return weight.T.contiguous().T
