"""Anchored supervised fine-tuning: DFT that is kept near the start policy."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from crucible.errors import UserError
from crucible.types import PolicyLoss


def asft(
    logps: Tensor, reference_divergence: Tensor, *, kl: Annotated[float, ">= 0"] = 0.05, rectified: bool = True
) -> PolicyLoss:
    """-sg(p) log p + kl KL(pi_ref || pi) over the whole vocabulary; with `rectified` false -log p + kl KL.

    ASFT, 2509.23753, and the authors' code: kl 0.05 in the readme, 0.1 the function's default. Not rectified it is the
    paper's ablation SFT + KL; with kl 0 it is DFT. The KL is exact, in nats, and its direction covers: the policy must
    keep what the reference would say.
    """
    if kl < 0:
        raise UserError(f"asft: kl is {kl}; give 0 or more")
    weight = logps.detach().exp() if rectified else torch.ones_like(logps)
    return PolicyLoss(-weight * logps + kl * reference_divergence, {"reference_divergence": reference_divergence})
