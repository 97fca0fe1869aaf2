"""A KL penalty in the reward, as in PPO-RLHF, REINFORCE++ and RLOO."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from crucible.algorithms.kl.estimators import Estimator, kl_per_token
from crucible.algorithms.kl.penalty import KLPenalty
from crucible.types import Scores


class KLInReward(KLPenalty):
    """r_t = [t is the last token] R - beta KL_t, before the advantage; nothing of it has a gradient.

    Ziegler et al., 1909.08593, Eq. 2 (k1). The policy is the one that starts the update. Defaults are verl's
    (0.001, horizon 10,000). k3 here is never negative, so it shortens completions; k2 has no meaning as a
    reward. `target` null: beta is fixed; the paper moves it.
    """

    def __init__(
        self,
        *,
        estimator: Estimator = "k1",
        coefficient: float = 0.001,
        target: float | None = None,
        horizon: int = 10000,
    ) -> None:
        super().__init__(estimator=estimator, coefficient=coefficient, target=target, horizon=horizon)

    def in_reward(self, old_logps: Tensor, reference_logps: Tensor, mask: Tensor) -> Tensor:
        """(N, T) KL in nats."""
        return kl_per_token(old_logps, reference_logps, mask, estimator=self.estimator).detach()


def penalised(scores: Scores, kl: Tensor, coefficient: float, mask: Tensor) -> Scores:
    """The scores minus coefficient x `kl` (N, T): token by token in `per_token`, its sum in `total`.

    A reward that came without `per_token` sits on the last counted token of its row.
    """
    penalty = coefficient * kl * mask
    total = scores.total.to(penalty.dtype)
    given = scores.per_token
    if given is None:
        place = torch.arange(mask.shape[1], device=mask.device)
        last = torch.where(mask > 0, place, -1).amax(-1, keepdim=True)
        given = torch.where((place == last) & (mask > 0), total.unsqueeze(-1), 0.0)
    return replace(scores, total=total - penalty.sum(-1), per_token=given - penalty)
