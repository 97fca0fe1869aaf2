"""A*-PO: regress the log-ratio to the reference on the optimal advantage of a completion."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from crucible.algorithms.groups import Groups
from crucible.algorithms.losses.base import report
from crucible.algorithms.ratio import check_positive, log_ratio, total_log_ratio
from crucible.config.needs import needs
from crucible.types import PolicyLoss


@needs(aggregation=["seq_mean_token_mean"], because="each token carries the squared error of its whole row")
def a_star_po(
    logps: Tensor,
    old_logps: Tensor,
    advantages: Tensor,
    mask: Tensor,
    reference_logps: Tensor,
    rewards: Tensor,
    group: Tensor,
    *,
    beta1: Annotated[float, "> 0"] = 0.5,
    beta2: Annotated[float, "> 0"] = 1e-3,
) -> PolicyLoss:
    """(beta2 q - (R - V*))^2 for each row; q = log pi(y) / pi_ref(y) summed over its tokens,
    V* = beta1 log mean over the group of exp(R / beta1).

    A*-PO, 2505.20686, with TRL's defaults. The derivative of a row's loss is
    2 beta2 (beta2 q - (R - V*)) grad log pi(y). The target uses the reward (N,) itself; `advantages` only enter
    the diagnostics, so the choice of algo/advantage does not matter.

    Differs from the paper: V* is estimated on the prompt's own samples of this step and not, once and for all,
    on 8 samples of the reference; as the policy leaves the reference, V* follows it. Every sample of the group
    trains, not one per prompt. Rows without tokens are no part of a group. A group of one has R - V* = 0.
    """
    check_positive("a_star_po", beta1=beta1, beta2=beta2)
    groups = Groups.of(group, mask.sum(-1) > 0, logps.dtype)
    best = torch.where(groups.size > 0, -groups.least(-rewards), rewards)
    mean = torch.where(groups.size > 0, groups.sum(((rewards - best) / beta1).exp()) / groups.size, 1.0)
    value = best + beta1 * mean.log()
    error = beta2 * total_log_ratio(logps, reference_logps, mask) - (rewards - value).unsqueeze(-1)
    return PolicyLoss(error.square() * mask, report(log_ratio(logps, old_logps, mask), advantages, mask))
