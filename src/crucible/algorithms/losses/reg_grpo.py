"""Reg-GRPO: the normalised log-ratios of a group should be its normalised rewards."""

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
def reg_grpo(
    logps: Tensor,
    old_logps: Tensor,
    advantages: Tensor,
    mask: Tensor,
    group: Tensor,
    *,
    eps: Annotated[float, "> 0"] = 0.01,
) -> PolicyLoss:
    """(A - z)^2 for each row, z = (q - mean of the group of q) / sqrt(var of the group of q + eps^2).

    DeepVideo-R1, 2506.07464: q = log pi(y) / pi_old(y) summed over the tokens, A = the normalised reward
    (algo/advantage=group_norm), variance with n - 1. The derivative of the mean over rows goes through the mean
    and the variance of the group too: with e = z - A and s the root, row j has
    2 / s (e_j - mean e - z_j sum(e z) / (n - 1)) grad log pi(y_j).

    eps, in nats, is ours: at the first update all q are equal and z is 0/0 without it; the gradient there is the
    policy gradient times 2 / eps, so gradient clipping must be on. A group of one has z = 0 and no gradient.

    Differs from the paper: its KL term belongs to the KL axis (its sign is printed both ways there).
    """
    check_positive("reg_grpo", eps=eps)
    log_delta = log_ratio(logps, old_logps, mask)
    groups = Groups.of(group, mask.sum(-1) > 0, logps.dtype)
    spread = (groups.size - 1.0).clamp(min=1.0)
    centred = groups.centred(log_delta.detach().sum(-1))
    root = (groups.sum(centred.square()) / spread + eps**2).sqrt()
    z = centred / root
    target = row_mean(advantages, mask).squeeze(-1)
    error = z - target
    pull = 2.0 / root * (groups.centred(error) - z * groups.sum(error * z) / spread)
    push = (pull * mask.sum(-1)).unsqueeze(-1) * score(logps, mask)
    return PolicyLoss((error.square().unsqueeze(-1) + push) * mask, report(log_delta, advantages, mask))
