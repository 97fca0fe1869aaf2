"""GSPO: PPO's clip on the sequence ratio, the geometric mean of a completion's token ratios."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from crucible.algorithms.diagnostics import ratio_diagnostics
from crucible.algorithms.ratio import bounded, check_bounds, importance_ratio, lengths, log_ratio, with_slope
from crucible.config.needs import needs
from crucible.types import PolicyLoss


@needs(
    aggregation=["seq_mean_token_mean", "seq_mean_token_sum"],
    because="each token carries the ratio of its whole row; the sum over tokens is LUSPO",
)
def gspo(
    logps: Tensor,
    old_logps: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    eps_low: Annotated[float, "0 to 1"] = 3e-4,
    eps_high: Annotated[float, ">= 0"] = 4e-4,
) -> PolicyLoss:
    """max(-A s, -A clip(s, 1 - eps_low, 1 + eps_high)), s = exp(mean over the row's tokens of log delta).

    GSPO, 2507.18071, with its eps 3e-4 / 4e-4, in the paper's GSPO-token form: each token carries s in value
    and s grad log pi_t in gradient, so the mean over tokens, then over rows, is the paper's objective. With
    one advantage per row that is GSPO itself; advantages that differ between tokens make it GSPO-token. Summed
    over the tokens (seq_mean_token_sum) every row loss is multiplied by its length: LUSPO, 2602.05261. F = s,
    and 0 where the row is clipped. A row without tokens has s = 1 and contributes nothing.

    The diagnostics are about s, the same on all tokens of a row (kl_old about the tokens): do not compare
    their clip fractions with those of token-level losses.

    Differs from the paper: log s is bounded to +-20, with gradient 0 beyond.
    """
    check_bounds("gspo", eps_low=eps_low, eps_high=eps_high)
    log_delta = log_ratio(logps.detach(), old_logps, mask)
    log_s = log_delta.sum(-1, keepdim=True) / lengths(mask)
    s = importance_ratio(log_s)
    found = ratio_diagnostics(s.expand_as(log_delta), log_delta, advantages, mask, eps_low=eps_low, eps_high=eps_high)
    unclipped = -advantages * s
    value = torch.maximum(unclipped, -advantages * s.clamp(1.0 - eps_low, 1.0 + eps_high))
    free = (1.0 - found["clip_fraction"]) * bounded(log_s)
    return PolicyLoss(with_slope(value, unclipped * free, logps, mask), found)
