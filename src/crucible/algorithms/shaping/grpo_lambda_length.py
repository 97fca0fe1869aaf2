"""GRPO-lambda's reward switch: right answers are paid for brevity only on the prompts the policy does best."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from crucible.algorithms.groups import Groups, reward_groups, rewarded
from crucible.algorithms.shaping.change import with_total
from crucible.errors import UserError, nearest
from crucible.types import Scores

_DEGREES_LOST = {"unbiased": 1.0, "population": 0.0}


def grpo_lambda_length(
    scores: Scores,
    group: Tensor,
    mask: Tensor,
    *,
    fraction: float = 0.2,
    alpha: float = 0.6,
    std: Literal["population", "unbiased"] = "population",
    right_reward: float = 1.0,
) -> Scores:
    """1 - alpha sigmoid((length - mean) / std) for right rows of the best prompts, 1 for other right rows, 0 for wrong.

    GRPO-lambda for efficient reasoning, 2505.18086 (the other GRPO-lambda is algo/advantage=grpo_lambda_trace). The
    best `fraction` (rounded up, at least one) of the step's prompts by their share of right rows get the length
    penalty, measured against the right rows of the prompt. Secondary notes: alpha 0.6 is a third-party port's, and
    which std was not found. One right row, or equal lengths: sigmoid(0) = 1/2. Of equally good prompts those with
    the lower group number are taken.
    """
    if std not in _DEGREES_LOST:
        raise UserError(f'grpo_lambda_length: std is "{std}"; give population or unbiased{nearest(std, _DEGREES_LOST)}')
    total, groups = reward_groups(scores, group)
    right = rewarded(scores, right_reward)
    best = _best(groups, groups.mean(right.to(total.dtype)), fraction)
    among = Groups.of(group, right, total.dtype)
    length = mask.sum(-1).to(total.dtype)
    off = among.centred(length)
    spread = (among.sum(off.square()) / (among.size - _DEGREES_LOST[std]).clamp(min=1.0)).sqrt()
    z = torch.where(spread > 0, off / torch.where(spread > 0, spread, 1.0), torch.zeros_like(off))
    paid = torch.where(best, 1.0 - alpha * torch.sigmoid(z), torch.ones_like(z))
    return with_total(scores, torch.where(right, paid, torch.zeros_like(paid)), mask)


def _best(groups: Groups, share: Tensor, fraction: float) -> Tensor:
    """(N,) bool: rows of the ceil(fraction x prompts) groups with the largest share, among those with a valid row."""
    per_group = torch.full((groups.number,), -1.0, dtype=share.dtype, device=share.device)
    per_group = per_group.scatter(0, groups.index, torch.where(groups.size > 0, share, -1.0))
    prompts = int((per_group >= 0).sum())
    chosen = torch.argsort(per_group, descending=True, stable=True)[
        : min(max(math.ceil(fraction * prompts), 1), prompts)
    ]
    among = torch.zeros(groups.number, dtype=torch.bool, device=share.device)
    among[chosen] = True
    return among[groups.index]
