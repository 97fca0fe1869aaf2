"""Kimi's online policy mirror descent: regress the log-ratio of a completion on its centred reward."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor

from crucible.algorithms.losses.base import report
from crucible.algorithms.ratio import check_positive, log_ratio, row_mean, total_log_ratio
from crucible.config.needs import needs
from crucible.types import PolicyLoss


@needs(aggregation=["seq_mean_token_mean"], because="each token carries the squared error of its whole row")
def opmd(
    logps: Tensor, old_logps: Tensor, advantages: Tensor, mask: Tensor, *, tau: Annotated[float, "> 0"] = 0.1
) -> PolicyLoss:
    """(A - tau q)^2 for each row, q = log pi(y) / pi_old(y) summed over its tokens, A the row's advantage.

    Kimi k1.5, 2501.12599, and K2, 2507.20534; A = reward - mean of the group (algo/advantage=group_center). The
    derivative of a row's loss is -2 tau (A - tau q) grad log pi(y): policy gradient with a baseline and an L2
    pull, times 2 tau (k1.5's Eq. 3 has no such factor). tau is not published; 0.1 is ROLL's. A row
    without tokens: 0.

    Where the advantages of a row differ between tokens, A is their mean.
    """
    check_positive("opmd", tau=tau)
    log_delta = log_ratio(logps, old_logps, mask)
    error = row_mean(advantages, mask) - tau * total_log_ratio(logps, old_logps, mask)
    return PolicyLoss(error.square() * mask, report(log_delta, advantages, mask))
