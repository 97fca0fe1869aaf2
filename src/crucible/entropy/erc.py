"""Entropy ratio clipping: tokens whose entropy has moved too far no longer move the policy."""

from __future__ import annotations

import torch
from torch import Tensor

from crucible.entropy.base import EntropyControl
from crucible.errors import UserError

_EPS = 1e-8  # the authors' code: both entropies 0 make the ratio 1


class EntropyRatioClipping(EntropyControl):
    """Weight 1 where low < rho < high, else 0, with rho = (H + 1e-8) / (H_old + 1e-8) per token.

    ERC, 2512.05591; low and high of the authors' scripts (0.8 and 1.2 in their class). H is the entropy under the
    policy of the moment, H_old that under the policy that starts the rollout step's updates. It goes on top of a
    clipped loss (scripts: DAPO's band 0.2 / 0.28 with dual clip 10, or GPPO). The denominator counts all tokens.
    First update of a rollout step: rho = 1, every token is kept.

    Differs from the code: a token outside contributes 0 to the value of the loss, there its detached loss; the
    gradient is the same.
    """

    def __init__(self, *, low: float = 0.95, high: float = 1.05) -> None:
        if not low < 1.0 < high:
            raise UserError(
                f"entropy erc: low is {low} and high {high}; an unchanged entropy has ratio 1: low < 1 < high"
            )
        self.low, self.high = low, high

    def weigh(self, entropy: Tensor, old_entropy: Tensor) -> Tensor:
        rho = (entropy + _EPS) / (old_entropy + _EPS)
        kept = (rho > self.low) & (rho < self.high)
        return torch.where(kept, torch.ones_like(entropy), 0.0)
