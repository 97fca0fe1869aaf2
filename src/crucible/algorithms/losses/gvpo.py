"""GVPO: within a group, the log-ratios should differ as the rewards do."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor

from crucible.algorithms.groups import Groups
from crucible.algorithms.losses.base import report
from crucible.algorithms.ratio import check_positive, log_ratio, row_mean, score
from crucible.config.needs import needs
from crucible.types import PolicyLoss


@needs(
    aggregation=["seq_mean_token_mean"],
    min_samples_per_prompt=2,
    because="it compares the completions of a prompt, and each token carries its row's squared error",
)
def gvpo(
    logps: Tensor,
    old_logps: Tensor,
    advantages: Tensor,
    mask: Tensor,
    group: Tensor,
    *,
    beta: Annotated[float, "> 0"] = 0.1,
) -> PolicyLoss:
    """G / (2 (G - 1)) e^2 for each row, e = (q - mean of the group of q) - A, q = beta log pi(y) / pi_old(y).

    GVPO, 2504.19599, and the authors' recipe: the mean over rows is 1 / (2 (G - 1)) sum over the group of e^2,
    averaged over groups. A = reward - mean of the group (algo/advantage=group_center), G the group's rows that
    have tokens. The derivative of a row's loss is G / (G - 1) beta e grad log pi(y): the group's mean of q is
    detached, which changes nothing where the A of a group sum to 0. A group of one has loss 0.

    Where the advantages of a row differ between tokens, A is their mean.
    """
    check_positive("gvpo", beta=beta)
    log_delta = log_ratio(logps, old_logps, mask)
    groups = Groups.of(group, mask.sum(-1) > 0, logps.dtype)
    length = mask.sum(-1, keepdim=True)
    centred = groups.centred(beta * log_delta.detach().sum(-1)).unsqueeze(-1)
    error = centred + beta * length * score(logps, mask) - row_mean(advantages, mask)
    size = groups.size.unsqueeze(-1)
    weight = (size > 1) * size / (2.0 * (size - 1.0).clamp(min=1.0))
    return PolicyLoss(weight * error.square() * mask, report(log_delta, advantages, mask))
