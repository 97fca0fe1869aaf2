"""A-LoL: advantage-weighted likelihood of the completions that are better than expected."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from torch import Tensor

from crucible.algorithms.losses.base import report
from crucible.algorithms.ratio import check_bounds, check_positive, importance_ratio, log_ratio
from crucible.config.needs import needs
from crucible.types import PolicyLoss


@needs(aggregation=["seq_mean_token_sum"], because="a completion is one action: its log-prob is the sum over tokens")
def a_lol(
    logps: Tensor,
    old_logps: Tensor,
    advantages: Tensor,
    mask: Tensor,
    reference_logps: Tensor,
    *,
    variant: Literal["full", "sequence", "reference_free", "kl"] = "full",
    eps: Annotated[float, "0 to 1"] = 0.9,
    beta: Annotated[float, "> 0"] = 0.1,
) -> PolicyLoss:
    """-w A log pi where A > 0, else 0; w = sg(clip(ratio to the reference, 1 - eps, 1 + eps)).

    A-LoL, 2305.14718, and the authors' code; eps 0.9. "full": the ratio of the whole completion; "sequence":
    of each token (the authors' "seq"); "reference_free": w = 1; "kl": w = 1 and + beta (log pi - log pi_ref) on
    the same tokens, not clipped (beta: our default). F = w where A > 0, else 0; with "kl" the derivative is
    -A + beta. No positive advantage: no update.

    Differs from the paper: it is offline, with the advantage R - V of a value head on the frozen reference,
    drops A <= 0 before batching (here they stay in the number of rows) and samples rows in proportion to A. The
    log-ratio is bounded to +-20.
    """
    check_bounds("a_lol", eps_low=eps, eps_high=eps)
    check_positive("a_lol", beta=beta)
    drift = log_ratio(logps, reference_logps, mask)
    if variant in ("full", "sequence"):
        fixed = drift.detach()
        ratio = importance_ratio(fixed.sum(-1, keepdim=True) if variant == "full" else fixed)
        per_token = -ratio.clamp(1.0 - eps, 1.0 + eps) * advantages * logps
    else:
        per_token = -advantages * logps + (beta * drift if variant == "kl" else 0.0)
    return PolicyLoss(
        torch.where(advantages > 0, per_token, 0.0),
        report(log_ratio(logps, old_logps, mask), advantages, mask),
    )
