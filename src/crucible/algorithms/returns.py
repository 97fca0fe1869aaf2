"""Rewards token by token: where they are paid, what is still to come, and their standard score."""

from __future__ import annotations

import torch
from torch import Tensor

from crucible.algorithms.groups import rewards
from crucible.types import Scores


def token_rewards(scores: Scores, mask: Tensor) -> Tensor:
    """(N, T) the reward where it is paid: `scores.per_token`, else the total on the last token. 0 on invalid rows."""
    total = rewards(scores)
    if scores.per_token is None:
        paid = total.unsqueeze(-1) * last_token(mask)
    else:
        paid = torch.where(mask > 0, scores.per_token, torch.zeros_like(scores.per_token))
    if scores.valid is None:
        return paid
    return torch.where(scores.valid.unsqueeze(-1), paid, torch.zeros_like(paid))


def last_token(mask: Tensor) -> Tensor:
    """(N, T) bool: the last counted token of each row."""
    after = mask.flip(-1).cumsum(-1).flip(-1)
    return (mask > 0) & (after == mask)


def step_ends(scores: Scores, mask: Tensor) -> Tensor:
    """(N, T) bool: where a step of reasoning is rewarded, which ends it. Without per-token rewards: the last token.

    A step worth exactly 0 cannot be told from no step. No step in rows without a reward.
    """
    found = last_token(mask) if scores.per_token is None else (mask > 0) & (scores.per_token != 0)
    return found if scores.valid is None else found & scores.valid.unsqueeze(-1)


def returns_to_go(paid: Tensor, discount: float) -> Tensor:
    """(N, T) sum over k >= t of discount^(k - t) paid_k, by doubling: log2(T) vector steps."""
    if discount == 1.0:
        return paid.flip(-1).cumsum(-1).flip(-1)
    found, reach = paid, 1
    while reach < paid.shape[-1]:
        later = torch.zeros_like(found)
        later[:, :-reach] = found[:, reach:]
        found = found + discount**reach * later
        reach *= 2
    return found


def standardised(values: Tensor, counted: Tensor, *, eps: float, eps_in_variance: bool = False) -> Tensor:
    """(value - mean) / (std + eps) over the entries where `counted`, n - 1 in the variance; 0 elsewhere.

    With `eps_in_variance` the divisor is sqrt(variance + eps). Values are measured from their minimum first, so
    equal values give exactly 0.
    """
    zero = torch.zeros_like(values)
    least = torch.where(counted, values, torch.full_like(values, float("inf"))).amin() if values.numel() else 0.0
    above = torch.where(counted, values - least, zero)
    n = counted.sum()
    deviation = torch.where(counted, above - above.sum() / n.clamp(min=1), zero)
    variance = deviation.square().sum() / (n - 1).clamp(min=1)
    return deviation / ((variance + eps).sqrt() if eps_in_variance else variance.sqrt() + eps)
