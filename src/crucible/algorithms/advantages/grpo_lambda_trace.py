"""GRPO-lambda's credit assignment: group_norm's advantage spread back over the tokens that led to each token."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from crucible.algorithms.advantages.group_norm import group_norm
from crucible.algorithms.returns import returns_to_go
from crucible.config.needs import needs
from crucible.errors import UserError, nearest
from crucible.types import Advantages, Scores

_TRACES = ("recent", "both")


@needs(min_samples_per_prompt=2, because="a group of one has nothing to be compared with")
def grpo_lambda_trace(
    scores: Scores,
    group: Tensor,
    mask: Tensor,
    *,
    lambda_: float = 0.99,
    gamma: float = 1.0,
    trace: Literal["recent", "both"] = "recent",
    lowest: float | None = -0.1,
    eps: float = 1e-6,
) -> Advantages:
    """A_j = a sum over t >= j of w(t, j), a = max(group_norm, lowest), d = gamma lambda.

    GRPO-lambda, 2510.00194 (credit assignment; the other GRPO-lambda is algo/shaping=grpo_lambda_length). The
    weight of the trace is d^(t - j) ("recent") or max(d^(t - j), d^j) ("both", Eq. 2). Secondary notes and
    third-party code, the paper itself was not read; its lambda was not found, 0.99 is a third party's. `lowest`
    -0.1 bounds negative advantages, null leaves them. Equal rewards, group of one: 0.

    Differs from the paper: it puts the trace into the ratio, exp(sum_j w log ratio_j), which has this gradient at
    ratio 1 and clips the product; here the ratio stays that of the token.
    """
    if trace not in _TRACES:
        raise UserError(f'grpo_lambda_trace: trace is "{trace}"; give recent or both{nearest(trace, _TRACES)}')
    decay = gamma * lambda_
    if not 0.0 <= decay <= 1.0:
        raise UserError(f"grpo_lambda_trace: gamma x lambda_ is {decay:g}; give a product from 0 to 1")
    values = group_norm(scores, group, mask, eps=eps).values
    values = values if lowest is None else values.clamp(min=lowest)
    weights = returns_to_go(mask, decay) if trace == "recent" else _both(mask, decay)
    return Advantages(values * weights * mask, keep=scores.valid)


def _both(mask: Tensor, decay: float) -> Tensor:
    """(N, T) sum over the row's t >= j of max(decay^(t - j), decay^j)."""
    width = mask.shape[-1]
    at = torch.arange(width, device=mask.device)
    powers = decay ** at.to(mask.dtype)
    sums = powers.cumsum(0)
    later = (mask.sum(-1, keepdim=True).long() - 1 - at).clamp(min=0)  # tokens after j
    near = torch.minimum(later, at)  # as long as t - j <= j the first is the larger
    return sums[near] + (later - near) * powers
