"""Entropy-adaptive fine-tuning: no force where the model is sure of something else."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor

from crucible.algorithms.ratio import check_positive
from crucible.types import PolicyLoss


def eaft(
    logps: Tensor, entropy: Tensor, *, scale: Annotated[float, "> 0"] = 3.0, alpha: Annotated[float, "> 0"] = 1.0
) -> PolicyLoss:
    """-(H / scale)^alpha log p, H the entropy of the model's own distribution, nats.

    EAFT, 2601.02151, and the authors' code: scale 3, about log 20, alpha 1. A token at which the model is sure has a
    small weight, whether it agrees with the demonstration or not; the weight may exceed 1.
    Differs from the paper: H is exact, over the whole vocabulary; theirs is that of the 20 likeliest tokens.
    """
    check_positive("eaft", scale=scale, alpha=alpha)
    weight = (entropy.detach().clamp(min=0.0) / scale).pow(alpha)
    return PolicyLoss(-weight * logps, {"weight_mean": weight})
