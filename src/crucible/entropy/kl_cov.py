"""KL-Cov: the few tokens of largest covariance are held near the old policy."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from crucible.algorithms.ratio import log_ratio
from crucible.entropy.base import EntropyControl
from crucible.entropy.tokens import covariances, mean, on_real
from crucible.errors import UserError

_SAME = 1e-5  # of the largest |cov|: closer ones are equal; two passes of a policy in float32 differ by less


class KLCov(EntropyControl):
    """+ coefficient |log pi - log pi_old| on the max(1, int(ratio * tokens)) tokens of largest covariance.

    KL-Cov, 2505.22617; cov = (A - mean A)(log pi - mean log pi) over the tokens of the optimiser step, log pi that of
    the moment. ratio 0.002 for 7B and 0.0002 for 32B (their k_percent is 100 times that), coefficient 1 in the
    authors' code; verl's YAML has 0.1. Their policy loss is -A ratio: algo/loss=unclipped.
    Ties at the border: those that come first, in the order of the micro-batches (on each rank). At log pi = log pi_old,
    hence in the first update of a rollout step, value and gradient are 0.

    Differs from the code: the ranking is over the optimiser step; there over the micro-batch, whose size then
    changes the result and which always gives at least one token.
    """

    def __init__(self, *, ratio: Annotated[float, "> 0, <= 1"] = 0.002, coefficient: float = 1.0) -> None:
        if not 0.0 < ratio <= 1.0:
            raise UserError(f"entropy kl_cov: ratio is {ratio}; it is a share of the tokens: 0 < ratio <= 1")
        self.ratio, self.coefficient = ratio, coefficient
        self.least = self.mean_advantage = self.mean_logp = 0.0
        self.threshold, self.same, self.equals_left = float("inf"), 0.0, 0

    def weigh(self, logps: Tensor, advantages: Tensor, mask: Tensor) -> None:
        """Weighs nothing; finds the border between the chosen tokens and the others."""
        real = mask > 0
        if bool(real.any()):
            cov = covariances(logps, advantages, mask)[real]
            self.least = float(advantages[real].min())
            self.mean_advantage = float(mean(on_real(advantages - self.least, mask), mask))
            self.mean_logp = float(mean(logps, mask))
            number = max(1, int(self.ratio * len(cov)))
            self.threshold = float(cov.topk(number).values[-1])
            self.same = _SAME * float(cov.abs().max())
            self.equals_left = number - int((cov > self.threshold + self.same).sum())

    def loss_term(self, logps: Tensor, old_logps: Tensor, advantages: Tensor, mask: Tensor) -> Tensor:
        return self.coefficient * torch.where(
            self._chosen(logps.detach(), advantages, mask), log_ratio(logps, old_logps, mask).abs(), 0.0
        )

    def _chosen(self, logps: Tensor, advantages: Tensor, mask: Tensor) -> Tensor:
        """(K, T) bool: above the border, and as many of those on it as are still wanted in this optimiser step."""
        cov = (advantages - self.least - self.mean_advantage) * (logps - self.mean_logp)
        real = mask > 0
        equal = ((cov - self.threshold).abs() <= self.same) & real
        taken = equal & (equal.flatten().cumsum(0).view_as(equal) <= self.equals_left)
        self.equals_left -= int(taken.sum())
        return taken | ((cov > self.threshold + self.same) & real)

    def after_step(self, mean_entropy: float) -> dict[str, float]:
        return {"entropy/covariance_threshold": self.threshold}
