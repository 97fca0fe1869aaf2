"""Log-probabilities and entropies behind a linear output layer with a large vocabulary, in tiles that fit in a cache.

The logits of all tokens over the whole vocabulary never exist, neither forward nor backward: each tile of them is made,
read and dropped (the online softmax of Milakov and Gimelshein, 1805.02867, with the sum for the entropy beside it), and
made again for the gradient.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn

from crucible.policy.onednn import Linear, linear_of, weight_gradient

ROWS = 512  # tokens of a tile
TILE = {"cpu": 2**18, "cuda": 2**25}  # logits of a tile: 1 MiB on a CPU, so that they stay in the cache of a core


def fits(head: Any) -> TypeGuard[nn.Linear]:
    """Whether `head` is a plain linear layer, so that its weight says all."""
    return type(head) is nn.Linear and not head._forward_hooks and not head._forward_pre_hooks


def tiled_stats(
    hidden: Tensor, targets: Tensor, head: nn.Linear, *, temperature: float, entropy_gradient: bool
) -> tuple[Tensor, Tensor]:
    """log softmax(head(h) / temperature)[target] and the entropy of that softmax: (M, D), (M,) int64 -> (M,), (M,).

    Both float32; with gradient the log-probabilities, and the entropies if `entropy_gradient`.
    """
    logps, entropy = _Tiled.apply(
        hidden, head.weight, head.bias, targets, 1.0 / temperature, entropy_gradient, linear_of(head)
    )
    return logps, entropy if entropy_gradient else entropy.detach()


class _Tiled(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        scale: float,
        entropy_gradient: bool,
        linear: Linear,
    ) -> tuple[Tensor, Tensor]:
        shape = (len(hidden),)
        largest = hidden.new_full(shape, -torch.inf, dtype=torch.float32)
        total = hidden.new_zeros(shape, dtype=torch.float32)  # sum of exp(logit - largest)
        weighted = hidden.new_zeros(shape, dtype=torch.float32)  # sum of exp(logit - largest) (logit - largest)
        for rows, words in _tiles(hidden, weight):
            logits = _logits(linear(hidden[rows], weight[words]), bias, words, scale)
            old, here = largest[rows], logits.amax(-1)
            new = torch.maximum(old, here)
            shrink = (old - new).exp()
            logits.sub_(new[:, None])
            powers = logits.exp()
            # what was summed relative to the old largest logit is now relative to the new one
            moved = weighted[rows] + torch.where(total[rows] > 0, total[rows] * (old - new), 0.0)
            weighted[rows] = moved * shrink + torch.linalg.vecdot(powers, logits)
            total[rows] = total[rows] * shrink + powers.sum(-1)
            largest[rows] = new
        normaliser = largest + total.log()
        chosen = (hidden.float() * weight[targets].float()).sum(-1)
        if bias is not None:
            chosen = chosen + bias[targets].float()
        entropy = total.log() - weighted / total
        ctx.save_for_backward(hidden, weight, bias, targets, normaliser, entropy)
        ctx.scale, ctx.entropy_gradient, ctx.linear = scale, entropy_gradient, linear
        return chosen * scale - normaliser, entropy

    @staticmethod
    def backward(ctx: Any, by_logp: Tensor, by_entropy: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        hidden, weight, bias, targets, normaliser, entropy = ctx.saved_tensors
        scale, linear, wants = ctx.scale, ctx.linear, ctx.needs_input_grad
        to_hidden = torch.zeros_like(hidden, dtype=torch.float32) if wants[0] else None
        to_weight = torch.zeros_like(weight) if wants[1] else None
        to_bias = torch.zeros_like(bias) if bias is not None and wants[2] else None
        for rows, words in _tiles(hidden, weight):
            logits = _logits(linear(hidden[rows], weight[words]), bias, words, scale).sub_(normaliser[rows, None])
            # d logp / d logit = [target] - p;  d entropy / d logit = -p (log p + entropy)
            if ctx.entropy_gradient:
                pull = (logits + entropy[rows, None]).mul_(by_entropy[rows, None]).add_(by_logp[rows, None])
                by_logits = logits.exp_().mul_(pull).mul_(-scale)
            else:
                by_logits = logits.exp_().mul_((by_logp[rows] * -scale)[:, None])
            same = by_logits.to(weight.dtype)
            if to_hidden is not None:
                to_hidden[rows] += linear(same, weight[words].T)
            if to_weight is not None:
                to_weight[words] += weight_gradient(same, hidden[rows], linear)
            if to_bias is not None:
                to_bias[words] += by_logits.sum(0).to(bias.dtype)
        by_target = by_logp * scale
        if to_hidden is not None:
            to_hidden += by_target[:, None] * weight[targets].float()
        if to_weight is not None:
            to_weight.index_add_(0, targets, (by_target[:, None] * hidden.float()).to(weight.dtype))
        if to_bias is not None:
            to_bias.index_add_(0, targets, by_target.to(to_bias.dtype))
        return None if to_hidden is None else to_hidden.to(hidden.dtype), to_weight, to_bias, None, None, None, None


def _tiles(hidden: Tensor, weight: Tensor) -> Iterator[tuple[slice, slice]]:
    """(rows, words) of each tile; words outside, so that a piece of the weight is read for all rows in turn."""
    at_once = max(1, TILE["cpu" if hidden.device.type == "cpu" else "cuda"] // min(ROWS, len(hidden)))
    for word in range(0, len(weight), at_once):
        for row in range(0, len(hidden), ROWS):
            yield slice(row, row + ROWS), slice(word, word + at_once)


def _logits(products: Tensor, bias: Tensor | None, words: slice, scale: float) -> Tensor:
    """(rows, words) logits over the temperature, float32, from the products of states and weights."""
    logits = products.float()
    if bias is not None:
        logits += bias[words].float()
    return logits if scale == 1.0 else logits.mul_(scale)
