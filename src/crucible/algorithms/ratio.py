"""The importance ratio, safe on padding and for any log-ratio."""

from __future__ import annotations

import torch
from torch import Tensor

from crucible.errors import UserError

# exp(20) = 4.9e8: beyond it a ratio says "off the map" and only endangers the gradient norm. verl's bound.
LOG_RATIO_BOUND = 20.0


def log_ratio(logps: Tensor, old_logps: Tensor, mask: Tensor) -> Tensor:
    """(N, T) log pi_theta - log pi_old; exactly 0 on padding, whatever is stored there."""
    difference = logps - old_logps.detach()
    return torch.where(mask > 0, difference, torch.zeros_like(difference))


def importance_ratio(log_ratio: Tensor) -> Tensor:
    """(N, T) exp of the log-ratio bounded to +-20; the gradient is 0 beyond the bound."""
    return log_ratio.clamp(-LOG_RATIO_BOUND, LOG_RATIO_BOUND).exp()


def unit_ratio(logps: Tensor, mask: Tensor) -> Tensor:
    """(N, T) delta / sg(delta): 1 in value, grad log pi in gradient.

    Written exp(logps - sg(logps)) because old_logps cancels; dividing the ratio by itself would be 0/0 or
    inf/inf for extreme ratios.
    """
    return log_ratio(logps, logps, mask).exp()


def check_bounds(loss: str, *, eps_low: float | None, eps_high: float, dual_clip: float | None = None) -> None:
    """Raises UserError for bounds that describe no clip."""
    if eps_low is not None and not 0.0 <= eps_low <= 1.0:
        raise UserError(f"{loss}: eps_low is {eps_low}, but 1 - eps_low bounds a ratio: give 0 <= eps_low <= 1")
    if eps_high < 0.0:
        raise UserError(f"{loss}: eps_high is {eps_high}, but 1 + eps_high bounds a ratio: give eps_high >= 0")
    if dual_clip is not None and dual_clip <= 1.0:
        raise UserError(f"{loss}: dual_clip is {dual_clip}, but it caps ratios above 1: give more than 1, or null")
