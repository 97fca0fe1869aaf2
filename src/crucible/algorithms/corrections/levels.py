"""The weight pi_old / pi_sample of a token, of a completion, and of a completion per token."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from crucible.algorithms.ratio import importance_ratio, log_ratio
from crucible.errors import UserError, nearest
from crucible.types import Correction

Level = Literal["token", "sequence", "geometric"]
LEVELS = ("token", "sequence", "geometric")


def importance_weights(old_logps: Tensor, sampling_logps: Tensor, mask: Tensor, level: Level) -> Tensor:
    """(N, T) rho, detached: exp(x) of x = log pi_old - log pi_sample; exp(sum x) and exp(mean x) of the completion.

    The exponent is bounded to +-20. Weights of a whole completion stand on all its tokens; on padding and in empty
    rows the weight is 1, and nothing reads it.
    """
    x = log_ratio(old_logps.detach(), sampling_logps, mask)
    if level == "token":
        return importance_ratio(x)
    if level not in LEVELS:
        raise UserError(f'correction: level is "{level}"; give {", ".join(LEVELS)}{nearest(level, LEVELS)}')
    summed = x.sum(-1, keepdim=True)
    if level == "geometric":
        summed = summed / mask.sum(-1, keepdim=True).clamp(min=1.0)
    return importance_ratio(summed).expand_as(x)


def corrected(rho: Tensor, weights: Tensor, mask: Tensor) -> Correction:
    """The correction with what it reports: rho itself, where it was changed, and where it was set to zero."""
    weights = torch.where(mask > 0, weights, torch.zeros_like(weights))
    return Correction(
        weights,
        {
            "ratio": rho,
            "changed": (weights != rho).to(rho.dtype),
            "zeroed": (weights == 0).to(rho.dtype),
        },
    )
