"""Online DPO: the best and the worst of a prompt's own completions are a pair."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from crucible.algorithms.groups import Groups
from crucible.algorithms.losses.base import report
from crucible.algorithms.ratio import check_positive, lengths, log_ratio, with_slope
from crucible.config.needs import needs
from crucible.types import PolicyLoss


@needs(
    aggregation=["seq_mean_token_mean"],
    min_samples_per_prompt=2,
    because="it compares the completions of a prompt, and each token carries its row's share of the pair's loss",
)
def online_dpo(
    logps: Tensor,
    old_logps: Tensor,
    advantages: Tensor,
    mask: Tensor,
    reference_logps: Tensor,
    rewards: Tensor,
    valid: Tensor,
    group: Tensor,
    *,
    beta: Annotated[float, "> 0"] = 0.1,
    form: Literal["sigmoid", "ipo"] = "sigmoid",
) -> PolicyLoss:
    """G / 2 f(d) on the best and on the worst row of each group, 0 on the others; f(d) = -log s(beta d), or
    (d - 1 / (2 beta))^2 for "ipo"; d = log pi / pi_ref of the best minus that of the worst, summed over tokens.

    OAIF, 2402.04792; TRL's online DPO (its beta 0.1, two completions a prompt). The mean over rows is the mean over
    pairs. Best and worst by the total reward, the advantage is not used; of equal rewards the first row. A group
    without two different rewards is no pair: 0. G are the group's rows with a reward that have tokens.
    Differs from TRL: there two equal rewards are a pair as well, the first completion being the better.
    """
    check_positive("online_dpo", beta=beta)
    log_delta = log_ratio(logps, reference_logps, mask).detach()
    known = valid & (mask.sum(-1) > 0)
    groups = Groups.of(group, known, logps.dtype)
    best, worst = _first(rewards == groups.most(rewards), groups), _first(rewards == groups.least(rewards), groups)
    apart = groups.most(rewards) > groups.least(rewards)
    side = torch.where(apart & known, best.to(logps.dtype) - worst.to(logps.dtype), 0.0)  # 1, -1 or 0
    d = groups.sum(side * log_delta.sum(-1))
    if form == "sigmoid":
        value, slope = -F.logsigmoid(beta * d), -beta * torch.sigmoid(-beta * d)
    else:
        value, slope = (d - 0.5 / beta).square(), 2.0 * (d - 0.5 / beta)
    half = groups.size / 2.0
    # the mean over pairs of f has the slope f' on one row of a pair; the mean over rows takes it from both
    per_row = (half * value * side.abs()).unsqueeze(-1)
    push = (2.0 * half * slope * side).unsqueeze(-1) * lengths(mask)
    found = report(log_ratio(logps, old_logps, mask), advantages, mask)
    found["pairs"] = side.abs().unsqueeze(-1) * mask
    return PolicyLoss(with_slope(per_row * mask, push, logps, mask), found)


def _first(rows: Tensor, groups: Groups) -> Tensor:
    """(N,) bool: of these rows the first of each group, among the valid ones."""
    among = rows & groups.valid
    return among & (groups.place(among) == 0)
