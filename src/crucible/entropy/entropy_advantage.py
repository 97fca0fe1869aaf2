"""Entropy-based advantage shaping: uncertain tokens get a larger advantage, never one of another sign."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import torch
from torch import Tensor

from crucible.entropy.base import EntropyControl
from crucible.entropy.tokens import on_real
from crucible.errors import UserError
from crucible.types import Advantages


class EntropyAdvantage(EntropyControl):
    """A' = A + min(alpha H, |A| / kappa), with H the detached token entropy.

    Reasoning with exploration, 2506.14758; alpha 0.4 is its value for GRPO (0.1 for PPO), kappa 2. Right answers
    are reinforced more and wrong ones punished less where the policy was uncertain; kappa > 1 keeps the sign of A.
    There is no gradient through H, so this is no entropy bonus. A = 0 stays 0; padding is 0.

    H is the entropy under the policy that starts the updates of a rollout step, in nats.
    """

    shapes = True

    def __init__(self, *, alpha: float = 0.4, kappa: Annotated[float, "> 1"] = 2.0) -> None:
        if kappa <= 1.0:
            raise UserError(f"entropy entropy_advantage: kappa is {kappa}; above 1 it keeps the sign of the advantage")
        self.alpha, self.kappa = alpha, kappa

    def shape(self, advantages: Advantages, entropy: Tensor, mask: Tensor) -> Advantages:
        a = on_real(advantages.values, mask)
        psi = torch.minimum(self.alpha * on_real(entropy, mask), a.abs() / self.kappa)
        return replace(advantages, values=a + psi)
