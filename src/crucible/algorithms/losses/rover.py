"""ROVER: the policy's log-ratios are the Q-values of a uniformly random policy."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from crucible.algorithms.losses.base import report
from crucible.algorithms.ratio import check_positive, log_ratio
from crucible.types import PolicyLoss


def rover(
    logps: Tensor,
    old_logps: Tensor,
    advantages: Tensor,
    mask: Tensor,
    uniform: Tensor,
    old_uniform: Tensor,
    *,
    rho: Annotated[float, "> 0"] = 1.0,
) -> PolicyLoss:
    """(Q - sg(A + V'))^2, Q = rho log delta, V' = uniform - old_uniform of the next token, 0 after the last one.

    ROVER, 2509.24981, and the authors' code. uniform, old_uniform (N, T): the mean over the whole vocabulary of
    log pi and log pi_old at the position, so V' is the value of the next state under a uniformly random policy.
    A = reward - mean of the group on every token (group_center; the authors' maths script: group_norm). rho 1.
    The derivative is 2 rho (Q - A - V') grad log pi; at delta = 1 that is policy gradient times 2 rho. Averaged
    over tokens.
    """
    check_positive("rover", rho=rho)
    log_delta = log_ratio(logps, old_logps, mask)
    value = torch.where(mask > 0, (uniform - old_uniform).detach(), 0.0)
    following = torch.nn.functional.pad(value[:, 1:], (0, 1))
    error = rho * log_delta - (advantages + following)
    return PolicyLoss(
        error.square() * mask,
        report(log_delta, advantages, mask) | {"next_value": torch.where(mask > 0, following, 0.0)},
    )
