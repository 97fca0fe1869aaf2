"""A KL penalty in the loss, as in GRPO."""

from __future__ import annotations

from torch import Tensor

from crucible.algorithms.kl.estimators import Estimator, Gradient, kl_per_token
from crucible.algorithms.kl.penalty import KLPenalty


class KLInLoss(KLPenalty):
    """loss + beta aggregate(KL per token), aggregated like the policy loss, after the advantage.

    GRPO, 2402.03300, Eq. 3-4 (k3, beta 0.04). Defaults are verl's (k3, 0.001; horizon 10,000). DAPO, Dr. GRPO and
    CE-GPPO have none. `gradient` k2: the estimator's value with the gradient of k2. `ratio_weighted`: times the
    ratio pi / pi_old, the unbiased form for samples of an older policy. `target` null: beta is fixed.
    """

    def __init__(
        self,
        *,
        estimator: Estimator = "k3",
        gradient: Gradient = "own",
        ratio_weighted: bool = False,
        coefficient: float = 0.001,
        target: float | None = None,
        horizon: int = 10000,
    ) -> None:
        super().__init__(estimator=estimator, coefficient=coefficient, target=target, horizon=horizon)
        self.gradient = gradient
        self.ratio_weighted = ratio_weighted

    def in_loss(self, logps: Tensor, old_logps: Tensor, reference_logps: Tensor, mask: Tensor) -> Tensor:
        """(K, T) KL in nats, with gradient."""
        return kl_per_token(
            logps,
            reference_logps,
            mask,
            estimator=self.estimator,
            gradient=self.gradient,
            old_logps=old_logps if self.ratio_weighted else None,
        )
