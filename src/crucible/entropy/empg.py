"""Entropy-modulated policy gradient: confident answers count more, uncertain ones less."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from crucible.entropy.base import EntropyControl
from crucible.entropy.tokens import on_real, row_means
from crucible.types import Advantages

_EPS = 1e-8  # of the min-max scale


class EntropyModulated(EntropyControl):
    """A' = A g - mean(A g), g = exp(-k h) / mean(exp(-k h)), h the row's mean token entropy scaled to 0 .. 1.

    EMPG, 2509.09265, as two public ports restate it (k 1), for completions of one step. h is min-max scaled over
    the batch, so one outlier compresses all others; the mean of g is 1. Opposite in direction to entropy_advantage.
    All rows alike, or one row: g = 1. Means are over rows that have a token and a reward; the others keep 0.

    Differs from the paper: a completion is one step, so the bonus for a clear next step (zeta) has nothing to look
    at and is absent. H is that under the policy that starts the updates of a rollout step.
    """

    shapes = True

    def __init__(self, *, k: float = 1.0) -> None:
        self.k = k

    def shape(self, advantages: Advantages, entropy: Tensor, mask: Tensor) -> Advantages:
        counts = (mask > 0).any(-1)
        if advantages.keep is not None:
            counts = counts & advantages.keep
        if not bool(counts.any()):
            return advantages
        h = row_means(entropy, mask)
        low, high = h[counts].min(), h[counts].max()
        g = torch.exp(-self.k * (h - low) / (high - low + _EPS))
        modulated = advantages.values * (g / g[counts].mean()).unsqueeze(-1)
        centre = row_means(modulated, mask)[counts].mean()
        return replace(advantages, values=on_real((modulated - centre) * counts.unsqueeze(-1), mask))
