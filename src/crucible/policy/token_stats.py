"""Log-probabilities of chosen tokens and exact entropies from hidden states, in slices of tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from torch.utils.checkpoint import checkpoint

from crucible.policy import tiled_head
from crucible.policy.onednn import linear_of, spare

# Logits are made for at most this many (token, vocabulary entry) pairs at a time: 64 MiB in float32.
LOGITS_AT_ONCE = 2**24


@dataclass(frozen=True, slots=True)
class TokenStats:
    """Per completion token, float32, 0 where the mask is 0. What was not asked for is None."""

    logps: Tensor  # (N, T) log-probability of the token at the given temperature
    entropy: Tensor  # (N, T) exact entropy of the distribution it was drawn from, in nats
    uniform: Tensor | None = None  # (N, T) mean over the vocabulary of that distribution's log-probabilities
    collision: Tensor | None = None  # (N, T) sum over the vocabulary of its squared probabilities
    greedy: Tensor | None = None  # (N, T) 1.0 where no token is likelier
    normaliser: Tensor | None = None  # (N, T) log of the sum of exp(logits), with gradient
    divergence: Tensor | None = None  # (N, T) exact KL(the other policy || this one), nats, with gradient
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
    other: tuple[Tensor, Callable[[Tensor], Tensor]] | None = None,
    logits_at_once: int = LOGITS_AT_ONCE,
    vocabulary: int,
) -> tuple[Tensor, ...]:
    """log softmax(head(h)/temperature)[target] and the entropy of that softmax, for M tokens.

    `hidden` (M, D), `targets` (M,) int64 -> logps (M,), entropy (M,), both float32 whatever the dtype of the model.
    Then what `more` names, (M,) each. Constants: "uniform", the mean over the vocabulary of log softmax (-inf where a
    token is forbidden), "collision", the sum of softmax squared, and "greedy", 1.0 where the target is likeliest. With
    gradient: "normaliser", log sum exp of the logits, and "divergence", KL(softmax of `other` || softmax); `other` is
    another policy's hidden states of the same tokens (M, D') with its head, and enters as a constant.

    Where M x vocabulary exceeds `logits_at_once`, the (M, vocabulary) logits never exist: they are made in tiles
    (`tiled_head`) or, for another head than a linear layer or with `more`, in slices of tokens, and again for the
    gradient. Without `entropy_gradient` the entropy is a constant.
    """
    rows = max(1, logits_at_once // vocabulary)

    beside = () if other is None else (other[0],)

    def one(h: Tensor, target: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        against = None
        if other is not None:
            with torch.no_grad():
                against = _read(other[1], states[0])
        return _stats(_read(head, h), target, temperature, entropy_gradient, more, against)

    if len(hidden) > rows and not more and tiled_head.fits(head):
        return tiled_head.tiled_stats(hidden, targets, head, temperature=temperature, entropy_gradient=entropy_gradient)
    if len(hidden) <= rows:
        return one(hidden, targets, *beside)
    recompute = torch.is_grad_enabled()
    parts = [
        checkpoint(one, *piece, use_reentrant=False, preserve_rng_state=False) if recompute else one(*piece)
        for piece in zip(*(whole.split(rows) for whole in (hidden, targets, *beside)), strict=True)
    ]
    return tuple(torch.cat(column) for column in zip(*parts, strict=True))


def _read(head: Callable[[Tensor], Tensor], states: Tensor) -> Tensor:
    """head(states), (M, D) -> (M, V), by way of a number of rows that a linear layer is fast for."""
    more = spare(len(states), head.weight, linear_of(head)) if isinstance(head, nn.Linear) else 0
    return head(pad(states, (0, 0, 0, more)))[: len(states)] if more else head(states)


def _stats(
    logits: Tensor,
    target: Tensor,
    temperature: float,
    entropy_gradient: bool,
    more: Sequence[str],
    against: Tensor | None,
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
    further = {
        "uniform": lambda: constant.mean(-1),
        "collision": lambda: (2 * constant).exp().sum(-1),
        "greedy": lambda: (chosen.detach() >= constant.max(-1).values).float(),
        "normaliser": lambda: logits.logsumexp(-1),
        "divergence": lambda: _divergence(against, log_probs, temperature),
    }
    return chosen, -(finite.exp() * finite).sum(-1), *(further[name]() for name in more)


def _divergence(against: Tensor | None, log_probs: Tensor, temperature: float) -> Tensor:
    """(M,) KL(softmax(against / temperature) || exp(log_probs)); a token forbidden to both adds nothing."""
    if against is None:
        raise ValueError("a divergence needs another policy")
    least = torch.finfo(log_probs.dtype).min
    fixed = (against.float() / temperature).log_softmax(-1).clamp(min=least)
    return (fixed.exp() * (fixed - log_probs.clamp(min=least))).sum(-1)
