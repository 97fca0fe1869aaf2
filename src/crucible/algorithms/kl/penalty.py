"""What the two places of a KL penalty have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from crucible.algorithms.kl.controllers import Controller
from crucible.algorithms.kl.estimators import Estimator, estimate


class KLPenalty:
    """beta KL(pi || ref). A subclass has `in_loss` or `in_reward`, called by name, giving KL per token.

    The program multiplies by `coefficient` and puts the term in its place.
    """

    def __init__(self, *, estimator: Estimator, coefficient: float, target: float | None, horizon: int) -> None:
        estimate(torch.zeros(1), estimator)  # an unknown name is refused now and not at the first step
        self.estimator = estimator
        self.controller = Controller(coefficient, target, horizon)

    @property
    def coefficient(self) -> float:
        return self.controller.coefficient

    def observe(self, mean: float, completions: int) -> dict[str, float]:
        """Told the token mean of the KL and the completions it is of, when they have been used. Returns metrics.

        Once a rollout step for a penalty in the reward, once an optimiser step for one in the loss.
        """
        used = self.coefficient
        self.controller.update(mean, completions)
        return {"kl/mean": mean, "kl/coefficient": used}

    def state_dict(self) -> dict[str, Any]:
        return self.controller.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.controller.load_state_dict(state)
