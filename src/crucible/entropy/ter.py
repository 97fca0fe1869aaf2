"""Targeted entropy regularisation: the mean entropy is pulled to a target from both sides."""

from __future__ import annotations

import torch
from torch import Tensor

from crucible.entropy.base import EntropyControl
from crucible.entropy.tokens import mean


class TargetedEntropy(EntropyControl):
    """w |H - target|, H the mean entropy over the tokens of the optimiser step, in nats.

    Confucius3-Math (TER), 2506.18330. Written per token as w s (H_t - target) with s = sign(H - target): under a
    token mean its value is w |H - target| and its gradient w s grad H. At the target s = 0, value and gradient too.
    s is that of the whole optimiser step, so micro-batches do not matter; there is no other state.

    Differs from the paper: under an aggregation other than token_mean the term weighs tokens as the policy loss does.
    """

    needs_gradient = True

    def __init__(self, *, weight: float = 0.001, target: float = 0.55) -> None:
        self.weight = weight
        self.target = target
        self.sign = 0.0

    def weigh(self, entropy: Tensor, mask: Tensor) -> None:
        """Weighs nothing; finds out the side of the target."""
        self.sign = float(torch.sign(mean(entropy, mask) - self.target)) if bool((mask > 0).any()) else 0.0

    def loss_term(self, entropy: Tensor) -> Tensor | None:
        return self.weight * self.sign * (entropy - self.target) if self.sign else None

    def after_step(self, mean_entropy: float) -> dict[str, float]:
        return {"entropy/distance": mean_entropy - self.target}
