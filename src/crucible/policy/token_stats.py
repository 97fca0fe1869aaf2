"""Log-probabilities of chosen tokens and exact entropies from hidden states, in slices of tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

# Logits are made for at most this many (token, vocabulary entry) pairs at a time: 64 MiB in float32.
LOGITS_AT_ONCE = 2**24


@dataclass(frozen=True, slots=True)
class TokenStats:
    """Per completion token, float32, 0 where the mask is 0. What was not asked for is None."""

    logps: Tensor  # (N, T) log-probability of the token at the given temperature
    entropy: Tensor  # (N, T) exact entropy of the distribution it was drawn from, in nats
    uniform: Tensor | None = None  # (N, T) mean over the vocabulary of that distribution's log-probabilities
    collision: Tensor | None = None  # (N, T) sum over the vocabulary of its squared probabilities
    hidden: Tensor | None = None  # (N, D) mean of the last hidden states that predict the counted tokens
    values: Tensor | None = None  # (N, T) what the value head reads from those states
    prompt: Tensor | None = None  # (N,) what the prompt head reads from the mean of the prompt's last hidden states


def selected_stats(
    hidden: Tensor,
    targets: Tensor,
    head: Callable[[Tensor], Tensor],
    *,
    temperature: float = 1.0,
    entropy_gradient: bool = False,
    more: Sequence[str] = (),
    logits_at_once: int = LOGITS_AT_ONCE,
    vocabulary: int,
) -> tuple[Tensor, ...]:
    """log softmax(head(h)/temperature)[target] and the entropy of that softmax, for M tokens.

    `hidden` (M, D), `targets` (M,) int64 -> logps (M,), entropy (M,), both float32 whatever the dtype of the model.
    Then what `more` names, (M,) each and constants: "uniform", the mean over the vocabulary of log softmax (-inf
    where a token is forbidden), and "collision", the sum of softmax squared.

    Where M x vocabulary exceeds `logits_at_once`, the tokens go through the head in slices, and each slice's logits
    are made again in the backward pass instead of being kept, so the (M, vocabulary) logits never exist. Without
    `entropy_gradient` the entropy is a constant.
    """
    rows = max(1, logits_at_once // vocabulary)

    def one(h: Tensor, target: Tensor) -> tuple[Tensor, ...]:
        return _stats(head(h), target, temperature, entropy_gradient, more)

    if len(hidden) <= rows:
        return one(hidden, targets)
    recompute = torch.is_grad_enabled()
    parts = [
        checkpoint(one, h, target, use_reentrant=False, preserve_rng_state=False) if recompute else one(h, target)
        for h, target in zip(hidden.split(rows), targets.split(rows), strict=True)
    ]
    return tuple(torch.cat(column) for column in zip(*parts, strict=True))


def _stats(
    logits: Tensor, target: Tensor, temperature: float, entropy_gradient: bool, more: Sequence[str]
) -> tuple[Tensor, ...]:
    logits = logits.float()
    if temperature != 1.0:
        logits = logits / temperature
    log_probs = logits.log_softmax(-1)
    chosen = log_probs.gather(-1, target[:, None]).squeeze(-1)
    source = log_probs if entropy_gradient else log_probs.detach()
    # A logit of -inf (a forbidden token) has probability 0 and adds nothing: 0 * -inf would be nan.
    finite = source.clamp(min=torch.finfo(source.dtype).min)
    constant = log_probs.detach()
    further = {"uniform": lambda: constant.mean(-1), "collision": lambda: (2 * constant).exp().sum(-1)}
    return chosen, -(finite.exp() * finite).sum(-1), *(further[name]() for name in more)
