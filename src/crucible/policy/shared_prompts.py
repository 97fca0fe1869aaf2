"""The decoder over every prompt once, and over its completions without padding.

The tokens of a micro-batch lie in one long row: all prompts, then all completions. What works token by token
(embedding, projections, MLP, norms) sees no padding and each prompt a single time; only attention lays the rows out
again, where the completions of a prompt read the keys and values of that one copy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

NAME = "crucible"  # of our attention in transformers, see `policy.attention`


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the tokens of P prompts and N completions lie in one row of L tokens.

    `prompt_place` (P, Tp) and `completion_place` (N, Tc) are places in the row, 0 where `prompt_real` and
    `completion_real` (bool, real tokens first) say there is none. `source` (N,) is the prompt of each completion.
    """

    prompt_place: Tensor
    prompt_real: Tensor
    completion_place: Tensor
    completion_real: Tensor
    source: Tensor

    @classmethod
    def of(cls, prompt_lengths: Tensor, completion_lengths: Tensor, source: Tensor) -> Layout:
        prompt_place, prompt_real = _places(prompt_lengths, 0)
        completion_place, completion_real = _places(completion_lengths, int(prompt_lengths.sum()))
        return cls(prompt_place, prompt_real, completion_place, completion_real, source)

    @property
    def positions(self) -> Tensor:
        """(L,) position ids: a completion goes on where its prompt ends."""
        lengths = self.prompt_real.sum(1)
        prompt = torch.arange(self.prompt_real.shape[1], device=lengths.device).expand_as(self.prompt_real)
        completion = torch.arange(self.completion_real.shape[1], device=lengths.device) + lengths[self.source, None]
        return torch.cat([prompt[self.prompt_real], completion[self.completion_real]])

    @property
    def predictors(self) -> Tensor:
        """(N, Tc + 1) the place whose state predicts each completion token: the prompt's last, then one by one."""
        ends = self.prompt_real.sum(1, keepdim=True) - 1
        last = self.prompt_place.gather(1, ends)
        return torch.cat([last[self.source], self.completion_place], 1)

    def visible(self) -> Tensor:
        """(N, 1, Tc, Tp + Tc) what a completion token sees: the prompt's tokens, then its own up to itself."""
        rows, width = self.completion_real.shape
        causal = torch.ones(width, width, dtype=torch.bool, device=self.source.device).tril()
        prompt = self.prompt_real[self.source][:, None, None].expand(rows, 1, width, -1)
        return torch.cat([prompt, causal.expand(rows, 1, width, width)], -1)


def _places(lengths: Tensor, start: int) -> tuple[Tensor, Tensor]:
    """((R, longest) places of rows of these lengths laid one after the other from `start`, which are real)."""
    steps = torch.arange(int(lengths.max()), device=lengths.device)
    real = steps < lengths[:, None]
    begins = start + lengths.cumsum(0) - lengths
    return (begins[:, None] + steps).masked_fill(~real, 0), real


def fits(model: Any, length: int) -> bool:
    """Whether `model` has our attention (`policy.attention`) and sees all of `length` tokens, without dropout.

    With dropout the samples of a prompt would share one draw of it, so a model in training with dropout does not fit.
    """
    config = model.config.get_text_config()
    window = getattr(config, "sliding_window", None)
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    return (
        bool(getattr(model.get_decoder(), "_supports_attention_backend", False))
        and getattr(config, "_attn_implementation", None) == NAME
        and kinds <= {"full_attention", "sliding_attention"}
        and (not window or window >= length)
        and not (model.training and _drops(model, config))
    )


def _drops(model: nn.Module, config: Any) -> bool:
    return bool(getattr(config, "attention_dropout", 0.0)) or any(
        m.p > 0 for m in model.modules() if isinstance(m, nn.Dropout)
    )


def hidden_states(model: Any, prompts: Tensor, completions: Tensor, layout: Layout) -> Tensor:
    """(L, D) the last hidden states of the row of prompt tokens (Lp,) and completion tokens (Lc,)."""
    return model.get_decoder()(
        input_ids=torch.cat([prompts, completions])[None],
        attention_mask=layout.visible(),
        position_ids=layout.positions[None],
        use_cache=False,
        layout=layout,
    ).last_hidden_state.squeeze(0)


def shared_prompt_attention(
    query: Tensor, key: Tensor, value: Tensor, visible: Tensor | None, scaling: float, layout: Layout
) -> Tensor:
    """(1, H, L, d) queries on (1, H_kv, L, d) keys and values -> (1, L, H, d), rows as the layout says.

    `visible` is the layout's. Prompts have their real tokens first, so a plain causal mask is right for them.
    """
    repeats = query.shape[1] // key.shape[1]
    query, key, value = (states[0].transpose(0, 1) for states in (query, key, value))  # (L, heads, d)
    q, k, v = (_rows(states, layout.prompt_place) for states in (query, key, value))
    k, v = _repeated(k, repeats), _repeated(v, repeats)
    prompts = scaled_dot_product_attention(q, k, v, is_causal=True, scale=scaling)
    found = [_flat(prompts, layout.prompt_real)]
    if layout.completion_place.shape[1]:
        q, own_k, own_v = (_rows(states, layout.completion_place) for states in (query, key, value))
        k = torch.cat([k[layout.source], _repeated(own_k, repeats)], 2)
        v = torch.cat([v[layout.source], _repeated(own_v, repeats)], 2)
        found.append(
            _flat(scaled_dot_product_attention(q, k, v, attn_mask=visible, scale=scaling), layout.completion_real)
        )
    return torch.cat(found)[None]


def _repeated(states: Tensor, times: int) -> Tensor:
    """(R, H_kv, T, d) -> (R, H, T, d): each key-value head for its query heads."""
    return states.repeat_interleave(times, 1) if times > 1 else states


def _rows(states: Tensor, places: Tensor) -> Tensor:
    """(L, H, d) -> (R, H, T, d)."""
    return states[places].transpose(1, 2)


def _flat(rows: Tensor, real: Tensor) -> Tensor:
    """(R, H, T, d) -> the real tokens one after the other, (l, H, d)."""
    return rows.transpose(1, 2)[real]
