"""GMPO: the geometric mean of token ratios that are clipped one by one, in log space."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from torch import Tensor

from crucible.algorithms.diagnostics import ratio_diagnostics
from crucible.algorithms.ratio import importance_ratio, log_ratio, row_mean, score
from crucible.config.needs import needs
from crucible.errors import UserError
from crucible.types import PolicyLoss


@needs(aggregation=["seq_mean_token_mean"], because="each token carries the ratio of its whole row")
def gmpo(
    logps: Tensor,
    old_logps: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    log_eps_low: Annotated[float, ">= 0"] = 0.4,
    log_eps_high: Annotated[float, ">= 0"] = 0.4,
) -> PolicyLoss:
    """-A s, s = exp(mean over the row's tokens of c), c = min(log delta, log_eps_high) where A > 0,
    max(log delta, -log_eps_low) where A <= 0.

    GMPO, 2507.20673, and its official code; bounds in log units (0.4: ratios 0.67 .. 1.49). F = s, and 0 on the
    tokens that are clipped (a bound itself is inside). A row without tokens has s = 1 and contributes nothing.
    The paper's objective has one advantage per row; with several, each token is weighed by its own.

    Differs from the paper: log s is bounded to +-20, with gradient 0 beyond.
    """
    if log_eps_low < 0.0 or log_eps_high < 0.0:
        raise UserError(f"gmpo: log_eps_low, log_eps_high are {log_eps_low}, {log_eps_high}; give both >= 0")
    log_delta = log_ratio(logps, old_logps, mask)
    right = (advantages > 0) & (log_delta > log_eps_high)
    left = (advantages <= 0) & (log_delta < -log_eps_low)
    clipped = torch.where(right, log_eps_high, torch.where(left, -log_eps_low, log_delta.detach()))
    own = torch.where(right | left, 0.0, score(logps, mask))
    s = importance_ratio(row_mean(clipped, mask) + own)
    return PolicyLoss(
        -advantages * s,
        ratio_diagnostics(
            importance_ratio(log_delta.detach()),
            log_delta,
            advantages,
            mask,
            eps_low=-math.expm1(-log_eps_low),
            eps_high=math.expm1(log_eps_high),
        ),
    )
