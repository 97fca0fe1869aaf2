"""An entropy bonus whose coefficient is learned, as the temperature of soft actor-critic."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

from torch import Tensor

from crucible.entropy.base import EntropyControl, finite
from crucible.errors import UserError


class LearnedCoefficient(EntropyControl):
    """-c H with c = exp(a); after each step a <- a - lr c (H - target), gradient descent on c (H - target).

    Soft actor-critic, 1812.05905, Eq. 18, with the coefficient on the exact token entropy as in the code base of
    LUFFY and HPT (adaptive temperature; target 1.0 there). c is never negative: above the target it only fades.
    H and target in nats. `cap` bounds c from above; null: none. start and lr: ours, theirs were not found.

    Differs from the code: plain gradient descent once a rollout step; a coefficient at the cap can fall again,
    there the clamp stops its gradient.
    """

    needs_gradient = True

    def __init__(
        self, *, target: float = 1.0, lr: float = 1.0, start: Annotated[float, "> 0"] = 0.001, cap: float | None = None
    ) -> None:
        if start <= 0.0 or (cap is not None and start > cap):
            bound = "" if cap is None else f" and at most cap={cap}"
            raise UserError(f"entropy sac: start is {start}; it is exp(a), so give more than 0{bound}")
        self.target = target
        self.lr = lr
        self.highest = math.inf if cap is None else math.log(cap)
        self.log_coefficient = math.log(start)

    @property
    def coefficient(self) -> float:
        return math.exp(self.log_coefficient)

    def loss_term(self, entropy: Tensor) -> Tensor:
        return -self.coefficient * entropy

    def after_step(self, mean_entropy: float) -> dict[str, float]:
        gradient = self.coefficient * (finite("sac", mean_entropy) - self.target)
        self.log_coefficient = min(self.log_coefficient - self.lr * gradient, self.highest)
        return {"entropy/coefficient": self.coefficient}

    def state_dict(self) -> dict[str, Any]:
        return {"log_coefficient": self.log_coefficient}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.log_coefficient = float(state["log_coefficient"])
