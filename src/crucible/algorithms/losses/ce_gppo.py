"""CE-GPPO: clipped tokens keep a gradient of bounded size; two coefficients steer the entropy."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from crucible.algorithms.diagnostics import ratio_diagnostics
from crucible.algorithms.ratio import bounded, check_bounds, importance_ratio, log_ratio, with_slope
from crucible.types import PolicyLoss


def ce_gppo(
    logps: Tensor,
    old_logps: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    beta1: float = 0.5,
    beta2: float = 1.0,
    eps_low: Annotated[float, "0 to 1"] = 0.2,
    eps_high: Annotated[float, ">= 0"] = 0.2,
    dual_clip: Annotated[float, "> 1"] | None = 10.0,
) -> PolicyLoss:
    """-A w, with w = beta1 (1 - eps_low) delta/sg(delta)    where delta < 1 - eps_low and A < 0   (NA&LP)
                      beta2 (1 + eps_high) delta/sg(delta)   where delta > 1 + eps_high and A > 0  (PA&LP)
                      delta                                  otherwise (both bounds included, and A = 0)

    CE-GPPO, 2509.20712, Eq. 8 (gradient: Eq. 10). F is w with delta/sg(delta) = 1.
    beta1 larger: exploitation, entropy falls faster. beta2 larger: exploration, entropy falls slower.
    (0.5, 1) is the paper's general setting, (0.75, 1) its 7B one. beta1 = beta2 = 1 is GPPO, 2508.07629;
    beta1 = beta2 = 0 has PPO's gradient. dual_clip c caps the loss at -c A where A < 0 (official scripts:
    10).

    With delta = 1 everywhere (the first update after a rollout) it equals PPO. For beta other than 1 the
    value differs from PPO's by construction: compare runs by gradient or reward, never by the loss.

    Differs from the paper: the dual clip is in the official code only; eps may differ on the two sides (as in
    GPPO); the log-ratio of the last line is bounded to +-20, with gradient 0 beyond.
    """
    check_bounds("ce_gppo", eps_low=eps_low, eps_high=eps_high, dual_clip=dual_clip)
    log_delta = log_ratio(logps.detach(), old_logps, mask)
    delta = importance_ratio(log_delta)
    found = ratio_diagnostics(
        delta, log_delta, advantages, mask, eps_low=eps_low, eps_high=eps_high, dual_clip=dual_clip
    )
    left, right, clipped = found["preserved_left"], found["preserved_right"], found["clip_fraction"]
    weight = beta1 * (1.0 - eps_low) * left + beta2 * (1.0 + eps_high) * right + delta * (1.0 - clipped)
    value = -advantages * weight
    slope = value * torch.maximum(bounded(log_delta), clipped)  # delta/sg(delta) has no bound
    if dual_clip is not None:
        beyond = (advantages < 0) & (weight > dual_clip)
        value, slope = torch.where(beyond, -dual_clip * advantages, value), slope.masked_fill(beyond, 0.0)
    return PolicyLoss(with_slope(value, slope, logps, mask), found)
