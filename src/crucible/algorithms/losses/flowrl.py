"""FlowRL: completions should be as likely as their reward says, up to a learned constant of the prompt."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from crucible.algorithms.losses.base import report
from crucible.algorithms.ratio import check_positive, importance_ratio, log_ratio, row_mean, score
from crucible.config.needs import needs
from crucible.types import PolicyLoss


@needs(aggregation=["seq_mean_token_mean"], because="each token carries the squared error of its whole row")
def flowrl(
    logps: Tensor,
    old_logps: Tensor,
    advantages: Tensor,
    mask: Tensor,
    reference_logps: Tensor,
    log_partition: Tensor,
    *,
    beta: Annotated[float, "> 0"] = 15.0,
    cap: Annotated[float, "> 0"] = 10.0,
) -> PolicyLoss:
    """w e^2 for each row, e = log Z + mean_t log pi - beta R - mean_t log pi_ref, w = sg(min(pi(y) / pi_old(y), cap)).

    FlowRL, 2509.15207, as in the authors' recipe: trajectory balance per token. log Z (N,) is the partition head's,
    R the mean of the row's advantages (algo/advantage=group_norm), w the ratio of the whole completion. The
    derivative of a row's loss is 2 w e / length grad log pi_t, and 2 w e grad log Z. At e = 0 the policy is the
    reference tilted by exp(beta R), to the power of the length. beta 15, cap 10. A row without tokens: 0.

    Equal rewards still move it: towards the reference, as far as log Z allows. Differs from the recipe: the log-ratio
    in w is bounded to +-20 before the cap.
    """
    check_positive("flowrl", beta=beta, cap=cap)
    log_delta = log_ratio(logps, old_logps, mask)
    weight = importance_ratio(log_delta.detach().sum(-1, keepdim=True)).clamp(max=cap)
    drift = row_mean(log_ratio(logps, reference_logps, mask).detach(), mask) + score(logps, mask)
    error = log_partition.unsqueeze(-1) + drift - beta * row_mean(advantages, mask)
    own = {"balance_error": error, "log_partition": log_partition.unsqueeze(-1), "sequence_weight": weight}
    told = {name: torch.where(mask > 0, value.detach(), 0.0) for name, value in own.items()}
    return PolicyLoss(weight * error.square() * mask, report(log_delta, advantages, mask) | told)
