"""Generalised advantage estimation: temporal differences of a critic's values."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from crucible.algorithms.returns import standardised, token_rewards
from crucible.errors import UserError
from crucible.types import Advantages, Scores


def gae(
    scores: Scores,
    mask: Tensor,
    values: Tensor,
    *,
    gamma: Annotated[float, "0 to 1"] = 1.0,
    lam: Annotated[float, "0 to 1"] = 1.0,
    critic_lam: Annotated[float, "0 to 1"] | None = None,
    length_alpha: Annotated[float, "> 0"] | None = None,
    whiten: bool = True,
    eps: float = 1e-8,
) -> Advantages:
    """A_t = sum_k (gamma lam)^k delta_(t+k), delta_t = r_t + gamma v_(t+1) - v_t; returns R_t = A_t + v_t.

    GAE, 1506.02438, Eq. 16; PPO, 1707.06347. r is `scores.per_token` (with the KL penalty, where it is in the reward),
    else the total on the last token; after it the value is 0. Tokens that do not count inside a row are skipped:
    the next value and advantage go through them. With `whiten` the advantages are then standardised over all tokens of
    valid rows, n - 1 in the variance and eps inside the root; the returns are not. gamma and lam: verl 1 and 1.

    VAPO, 2504.05118 (secondary notes): `critic_lam` for the returns alone (1 there), and `length_alpha`
    for lam = 1 - 1 / (length_alpha x length) of each completion (0.05 there), at least 0, instead of `lam`.
    """
    _check(gamma, lam, critic_lam, length_alpha)
    counted = mask > 0
    if scores.valid is not None:
        counted = counted & scores.valid.unsqueeze(-1)
    order = torch.argsort((~counted).to(torch.int8), dim=-1, stable=True)  # counted tokens first, without gaps
    here = counted.gather(-1, order)
    paid = torch.where(here, token_rewards(scores, mask).gather(-1, order), 0.0)
    value = torch.where(here, values.gather(-1, order), 0.0)
    following = torch.cat([value[:, 1:], torch.zeros_like(value[:, :1])], -1)
    delta = torch.where(here, paid + gamma * following - value, 0.0)

    def placed(compact: Tensor) -> Tensor:
        return torch.zeros_like(compact).scatter(-1, order, torch.where(here, compact, 0.0))

    advantages = placed(_discounted(delta, gamma * _lam(lam, length_alpha, counted, value)))
    target = advantages
    if critic_lam is not None:
        target = placed(_discounted(delta, gamma * torch.full_like(value[:, :1], critic_lam)))
    returns = torch.where(counted, target + values, 0.0)
    if whiten:
        advantages = standardised(advantages, counted, eps=eps, eps_in_variance=True)
    return Advantages(advantages, keep=scores.valid, returns=returns)


def _lam(lam: float, length_alpha: float | None, counted: Tensor, like: Tensor) -> Tensor:
    """(N, 1) lambda of each row."""
    if length_alpha is None:
        return torch.full_like(like[:, :1], lam)
    length = counted.sum(-1, keepdim=True).to(like.dtype)
    return (1.0 - 1.0 / (length_alpha * length.clamp(min=1.0))).clamp(min=0.0)


def _discounted(delta: Tensor, factor: Tensor) -> Tensor:
    """sum over k >= 0 of factor^k delta_(t + k), factor (N, 1), by doubling: log2(T) vector steps."""
    found, reach = delta, 1
    while reach < delta.shape[-1]:
        later = torch.zeros_like(found)
        later[:, :-reach] = found[:, reach:]
        found = found + factor**reach * later
        reach *= 2
    return found


def _check(gamma: float, lam: float, critic_lam: float | None, length_alpha: float | None) -> None:
    for name, value in (("gamma", gamma), ("lam", lam), ("critic_lam", critic_lam)):
        if value is not None and not 0.0 <= value <= 1.0:
            raise UserError(f"gae: {name} is {value}; give a number from 0 to 1")
    if length_alpha is not None and length_alpha <= 0.0:
        raise UserError(f"gae: length_alpha is {length_alpha}; give more than 0, or null for one lam for all")
