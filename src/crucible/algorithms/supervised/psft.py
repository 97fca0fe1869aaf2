"""Proximal supervised fine-tuning: a token that has become likely enough teaches no more for a while."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from crucible.algorithms.ratio import bounded, check_bounds, importance_ratio, log_ratio, with_slope
from crucible.types import PolicyLoss


def psft(
    logps: Tensor, reference_logps: Tensor, mask: Tensor, *, eps_high: Annotated[float, ">= 0"] = 0.28
) -> PolicyLoss:
    """-min(r, 1 + eps_high), r = pi / pi_old.

    PSFT, 2508.17784: PPO's clipped objective with advantage 1 on demonstrated tokens, so the lower bound never acts;
    0.2 / 0.28 in the authors' script, which makes 8 optimiser steps with one pi_old. Weight r, and 0 above the bound.

    pi_old is the reference policy, to be refreshed every few steps (algo.reference.every=8): with every=1 all ratios
    are 1 and this is plain supervised learning.
    Differs from the paper: the log-ratio is bounded to +-20, with gradient 0 beyond.
    """
    check_bounds("psft", eps_low=None, eps_high=eps_high)
    log_delta = log_ratio(logps.detach(), reference_logps, mask)
    ratio = importance_ratio(log_delta)
    above = (ratio > 1.0 + eps_high).to(ratio.dtype)
    value = -torch.minimum(ratio, torch.full_like(ratio, 1.0 + eps_high))
    per_token = with_slope(value, -ratio * (1.0 - above) * bounded(log_delta), logps, mask)
    return PolicyLoss(per_token, {"clip_fraction": above, "ratio_mean": ratio})
