"""VESPO: REINFORCE with a smooth, detached weight of the whole completion's ratio."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from torch import Tensor

from crucible.algorithms.losses.base import report
from crucible.algorithms.ratio import LOG_RATIO_BOUND, check_positive, log_ratio
from crucible.types import PolicyLoss

LOG_FLOOR = math.log(1e-8)


def vespo(
    logps: Tensor,
    old_logps: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    k_positive: Annotated[float, "> 0"] = 2.0,
    lambda_positive: Annotated[float, "> 0"] = 3.0,
    k_negative: Annotated[float, "> 0"] = 3.0,
    lambda_negative: Annotated[float, "> 0"] = 2.0,
) -> PolicyLoss:
    """-sg(phi) A log pi, phi = e^lambda w^k e^(-lambda w), w = pi(y) / pi_old(y), the product over the row's tokens.

    VESPO, 2602.10693, as in TRL: (k, lambda) = (2, 3) where A >= 0, (3, 2) where A < 0; log w is bounded to
    [log 1e-8, 20]. F = phi: 1 at w = 1, largest at w = k / lambda, and 0 at both ends. token_mean.

    Differs from the paper: with old_logps=recompute the ratio to the sampling policy is a correction
    (algo/correction) and not a factor of w; with old_logps=sampler, w already is the ratio to it.
    """
    check_positive(
        "vespo",
        k_positive=k_positive,
        lambda_positive=lambda_positive,
        k_negative=k_negative,
        lambda_negative=lambda_negative,
    )
    log_delta = log_ratio(logps, old_logps, mask)
    log_w = log_delta.detach().sum(-1, keepdim=True).clamp(LOG_FLOOR, LOG_RATIO_BOUND)

    def weight(k: float, lam: float) -> Tensor:
        return (lam + k * log_w - lam * log_w.exp()).exp()  # (N, 1)

    phi = torch.where(advantages >= 0, weight(k_positive, lambda_positive), weight(k_negative, lambda_negative))
    return PolicyLoss(
        -phi * advantages * logps,
        report(log_delta, advantages, mask) | {"sequence_weight": phi * mask},
    )
