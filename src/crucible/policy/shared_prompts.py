"""The decoder over every prompt once, and over its completions without padding.

The tokens of a micro-batch lie in one long row: all prompts, then all completions. What works token by token
(embedding, projections, MLP, norms) sees no padding and each prompt a single time; only attention lays the rows out
again, where the completions of a prompt read the keys and values of that one copy.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import scaled_dot_product_attention

from crucible.policy import short_attention

NAME = "crucible"  # of our attention in transformers, see `policy.attention`


@dataclass(frozen=True, slots=True)
class Grid:
    """Tokens of R rows that lie one after the other, as a grid (R, T) with padding behind.

    `real` (R, T) says which are tokens, `inside` (l,) where the l tokens are in the flattened grid, in order; None
    where the rows have one length, so that the grid is the tokens in another shape.
    """

    real: Tensor
    inside: Tensor | None

    @classmethod
    def of(cls, lengths: Tensor) -> Grid:
        real = torch.arange(int(lengths.max()), device=lengths.device) < lengths[:, None]
        return cls(real, None if bool(real.all()) else real.flatten().nonzero().squeeze(1))

    def places(self, start: int) -> Tensor:
        """(R, T) places of the tokens if the first is at `start`, 0 on padding."""
        number = self.real.flatten().cumsum(0).view_as(self.real) - 1
        return (number + start).masked_fill(~self.real, 0)

    def rows(self, tokens: Tensor) -> Tensor:
        """(l, H, d) -> (R, T, H, d), zeros on padding."""
        if self.inside is not None:
            tokens = tokens.new_zeros(self.real.numel(), *tokens.shape[1:]).index_copy(0, self.inside, tokens)
        return tokens.reshape(*self.real.shape, *tokens.shape[1:])

    def tokens(self, rows: Tensor) -> Tensor:
        """(R, T, H, d) -> (l, H, d)."""
        laid = rows.flatten(0, 1)
        if self.inside is None:
            return laid
        found: Tensor = _Picked.apply(laid, self.inside)
        return found


class _Picked(torch.autograd.Function):
    """`rows[places]` for places that differ: the gradient is put back where torch's own would add, in one thread."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, places: Tensor) -> Tensor:
        ctx.save_for_backward(places)
        ctx.rows = len(rows)
        return rows.index_select(0, places)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_out: Tensor) -> tuple[Tensor, None]:
        (places,) = ctx.saved_tensors
        return by_out.new_zeros(ctx.rows, *by_out.shape[1:]).index_copy_(0, places, by_out), None


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the tokens of P prompts and N completions lie in one row: all prompts, all completions, `spare` of neither.

    `source` (N,) is the prompt of each completion. Spare tokens are there for their number alone (`onednn`).
    """

    prompt: Grid
    completion: Grid
    source: Tensor
    prompt_tokens: int
    spare: int = 0
    masks: dict[Any, Tensor] = field(default_factory=dict)

    @classmethod
    def of(cls, prompt_lengths: Tensor, completion_lengths: Tensor, source: Tensor, spare: int = 0) -> Layout:
        return cls(Grid.of(prompt_lengths), Grid.of(completion_lengths), source, int(prompt_lengths.sum()), spare)

    @property
    def positions(self) -> Tensor:
        """(L,) position ids: a completion goes on where its prompt ends; 0 of spare tokens."""
        lengths = self.prompt.real.sum(1)
        prompt = torch.arange(self.prompt.real.shape[1], device=lengths.device).expand_as(self.prompt.real)
        completion = torch.arange(self.completion.real.shape[1], device=lengths.device) + lengths[self.source, None]
        return torch.cat([prompt[self.prompt.real], completion[self.completion.real], lengths.new_zeros(self.spare)])

    @property
    def predictors(self) -> Tensor:
        """(N, Tc + 1) the place whose state predicts each completion token: the prompt's last, then one by one."""
        last = self.prompt.real.sum(1).cumsum(0) - 1
        return torch.cat([last[self.source, None], self.completion.places(self.prompt_tokens)], 1)

    def hidden_from(self, queries: int, dtype: torch.dtype) -> Tensor:
        """(N or 1, 1, Tc x queries, Tp + Tc): 0 where a completion token sees, -inf where not, `queries` lines a token.

        It sees its prompt's tokens, then its own up to itself. One row serves all where the prompts have one length.
        """
        if (queries, dtype) not in self.masks:
            width = self.completion.real.shape[1]
            causal = torch.ones(width, width, dtype=torch.bool, device=self.source.device).tril()
            prompt = self.prompt.real[:1] if self.prompt.inside is None else self.prompt.real[self.source]
            seen = torch.cat([prompt[:, None].expand(-1, width, -1), causal.expand(len(prompt), -1, -1)], -1)
            mask = torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill_(~seen, -torch.inf)
            self.masks[queries, dtype] = mask.repeat_interleave(queries, 1)[:, None]
        return self.masks[queries, dtype]


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
    """(L, D) the last hidden states of the row of prompt tokens (Lp,), completion tokens (Lc,) and spare tokens."""
    ids = torch.cat([prompts, completions, prompts.new_zeros(layout.spare)])[None]
    return model.get_decoder()(
        input_ids=ids,
        attention_mask=torch.ones(1, 1, 1, 1, dtype=torch.bool, device=ids.device),  # the layout says what is seen
        position_ids=layout.positions[None],
        use_cache=False,
        layout=layout,
    ).last_hidden_state.squeeze(0)


def shared_prompt_attention(
    query: Tensor, key: Tensor, value: Tensor, scaling: float, layout: Layout, short: bool = False
) -> Tensor:
    """(L, H, d) queries on (L, H_kv, d) keys and values -> (L, H, d), rows as the layout says.

    Prompts have their real tokens first, so a plain causal mask is right for them. The queries of a completion token
    that share a key-value head stand side by side as query positions, so keys and values are not repeated for them.
    `short`: completions by `short_attention` where that is faster.
    """
    completion_tokens = len(query) - layout.prompt_tokens - layout.spare
    group, lengths = query.shape[1] // key.shape[1], (layout.prompt_tokens, completion_tokens, layout.spare)
    (q, own_q, rest), (k, own_k, _), (v, own_v, _) = (states.split(lengths) for states in (query, key, value))
    q, k, v = (layout.prompt.rows(states) for states in (q, k, v))  # (P, Tp, heads, d)
    out = scaled_dot_product_attention(
        q.transpose(1, 2), _repeated(k, group), _repeated(v, group), is_causal=True, scale=scaling
    )
    found = [layout.prompt.tokens(out.transpose(1, 2))]
    if lengths[1]:
        q, own_k, own_v = (layout.completion.rows(states) for states in (own_q, own_k, own_v))  # (N, Tc, heads, d)
        attend = short_attention.short_attention if short and short_attention.fits(q, own_k) else _kernel_attention
        out = attend(q, (k, v), (own_k, own_v), layout.source, layout.hidden_from(group, q.dtype), scaling)
        found.append(layout.completion.tokens(out))
    return torch.cat([*found, torch.zeros_like(rest)])


def _kernel_attention(
    query: Tensor, prompt: tuple[Tensor, Tensor], own: tuple[Tensor, Tensor], source: Tensor, mask: Tensor, scale: float
) -> Tensor:
    """`short_attention` with torch's kernel, for any length and device."""
    rows, width, _, dim = query.shape
    k, v = (
        torch.cat([before.index_select(0, source), after], 1).transpose(1, 2)
        for before, after in zip(prompt, own, strict=True)
    )
    grid = query.view(rows, width, k.shape[1], -1, dim).transpose(1, 2)  # (N, H_kv, Tc, queries of a token, d)
    out = scaled_dot_product_attention(grid.flatten(2, 3), k, v, attn_mask=mask, scale=scale)
    return out.view(grid.shape).transpose(1, 2).reshape(query.shape)


def _repeated(states: Tensor, times: int) -> Tensor:
    """(R, T, H_kv, d) -> (R, H, T, d): each key-value head for its query heads."""
    return (states.repeat_interleave(times, 2) if times > 1 else states).transpose(1, 2)
