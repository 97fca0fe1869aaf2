"""Backward correction of a verifier that errs: an unbiased reward as the weight of log pi."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from crucible.ahead import looks_ahead
from crucible.algorithms.groups import on_tokens, unit_rewards
from crucible.errors import UserError
from crucible.types import Advantages, Scores


def _check(false_positive: float, false_negative: float) -> None:
    if min(false_positive, false_negative) < 0.0 or false_positive + false_negative >= 1.0:
        raise UserError(
            f"noisy_backward: error rates {false_positive} and {false_negative}; each is at least 0, their sum under 1"
        )


@looks_ahead(_check)
def noisy_backward(
    scores: Scores,
    group: Tensor,
    mask: Tensor,
    *,
    false_positive: Annotated[float, ">= 0, < 1"] = 0.1,
    false_negative: Annotated[float, ">= 0, < 1"] = 0.2,
) -> Advantages:
    """(R - rho0) / (1 - rho0 - rho1), rho0 = `false_positive` and rho1 = `false_negative` rate of a 0/1 verifier.

    PGBC, 2510.00915: its mean given the truth is 0 for a wrong and 1 for a right completion. The defaults are the
    paper's synthetic test. It is the weight itself: group statistics would erase any such line through the
    rewards. Equal rewards do not give 0. Raises UserError for rewards outside [0, 1] and for rho0 + rho1 >= 1.
    """
    _check(false_positive, false_negative)
    total = unit_rewards("noisy_backward", scores)
    valid = torch.ones_like(total, dtype=torch.bool) if scores.valid is None else scores.valid
    clean = (total - false_positive) / (1.0 - false_positive - false_negative)
    return on_tokens(torch.where(valid, clean, torch.zeros_like(total)), scores, mask)
