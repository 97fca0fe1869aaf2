"""The family of probability-based objectives between -log p and -p, and beyond."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from crucible.errors import UserError
from crucible.types import PolicyLoss


def p_power(
    logps: Tensor,
    *,
    alpha: float = 1.0,
    above: Annotated[float, "0 to 1"] = 0.0,
    below: Annotated[float, "0 to 1"] = 1.0,
) -> PolicyLoss:
    """(1 - p^alpha) / alpha where above <= p <= below, else 0; -log p for alpha 0.

    2510.00526 and the authors' code (GeneralFamily-alpha, OnlyTopP, OnlyBottomP, OnlyTopLogP, OnlyBottomLogP). Weight
    p^alpha: alpha 0 is plain supervised learning, 1 has the gradient of DFT, larger ones trust the model more, negative
    ones less. Reported: alpha >= 1 where the model knows the field, 0 where it does not. No default was found; 1 is -p.
    Below the bounds' reach a token teaches nothing, but counts where the loss is averaged.
    """
    if not 0.0 <= above <= below <= 1.0:
        raise UserError(f"p_power: above is {above} and below {below}; give 0 <= above <= below <= 1")
    p = logps.detach().exp()
    inside = ((p >= above) & (p <= below)).to(logps.dtype)
    value = -logps if alpha == 0 else -torch.expm1(alpha * logps) / alpha
    return PolicyLoss(value * inside, {"inside": inside})
