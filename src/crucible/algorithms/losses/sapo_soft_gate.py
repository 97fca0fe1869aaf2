"""SAPO, Soft Adaptive Policy Optimization: a sigmoid gate in place of the clip. Not Swarm sAmpling PO."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from crucible.algorithms.losses.base import report
from crucible.algorithms.ratio import bounded, check_positive, importance_ratio, log_ratio, with_slope
from crucible.types import PolicyLoss


def sapo_soft_gate(
    logps: Tensor,
    old_logps: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    tau_positive: Annotated[float, "> 0"] = 1.0,
    tau_negative: Annotated[float, "> 0"] = 1.05,
) -> PolicyLoss:
    """-A (4 / tau) sigmoid(tau (delta - 1)), tau = tau_positive where A > 0, else tau_negative.

    SAPO, 2511.20347 (1.0 / 1.05); verl and TRL. F = 4 g (1 - g) delta with g = sigmoid(tau (delta - 1)): 1 at
    delta = 1 whatever tau, falling smoothly on both sides. The paper averages over tokens, then rows
    (seq_mean_token_mean).

    At delta = 1 the value is -2 A / tau and not -A: do not compare values between losses.

    Differs from the paper: the log-ratio is bounded to +-20, with gradient 0 beyond.
    """
    check_positive("sapo_soft_gate", tau_positive=tau_positive, tau_negative=tau_negative)
    log_delta = log_ratio(logps.detach(), old_logps, mask)
    delta = importance_ratio(log_delta)
    tau = torch.where(advantages > 0, logps.new_tensor(tau_positive), logps.new_tensor(tau_negative))
    g = torch.sigmoid(tau * (delta - 1.0))
    value = -advantages * (4.0 * g / tau)
    slope = -advantages * (4.0 * g * (1.0 - g) * delta) * bounded(log_delta)
    return PolicyLoss(with_slope(value, slope, logps, mask), report(log_delta, advantages, mask, ratio=delta))
