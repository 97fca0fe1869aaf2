"""An entropy bonus whose coefficient is inversely proportional to the entropy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from torch import Tensor

from crucible.entropy.base import EntropyControl, finite
from crucible.errors import UserError


class TargetRatio(EntropyControl):
    """-c H with c = coefficient * target / H_last, H_last the entropy last measured, at least `floor`.

    The "fixed" variant of the adaptive temperature in the code base of LUFFY and HPT (a coefficient of its own kind
    beside the learned one of soft actor-critic, 1812.05905). Before anything is measured c = coefficient. Nats.
    At H = target the bonus is the plain one; it never turns negative, so the target is no set-point.

    Differs from the code: H of the rollout step before instead of the micro-batch's own, which would make the
    result depend on the micro-batch size; `floor` keeps a collapsed policy from an unbounded coefficient.
    """

    needs_gradient = True

    def __init__(
        self, *, target: float = 1.0, coefficient: float = 0.001, floor: Annotated[float, "> 0"] = 0.01
    ) -> None:
        if floor <= 0.0:
            raise UserError(f"entropy target_ratio: floor is {floor}; it divides, so give more than 0")
        self.target = target
        self.base = coefficient
        self.floor = floor
        self.coefficient = coefficient

    def loss_term(self, entropy: Tensor) -> Tensor:
        return -self.coefficient * entropy

    def after_step(self, mean_entropy: float) -> dict[str, float]:
        self.coefficient = self.base * self.target / max(finite("target_ratio", mean_entropy), self.floor)
        return {"entropy/coefficient": self.coefficient}

    def state_dict(self) -> dict[str, Any]:
        return {"coefficient": self.coefficient}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.coefficient = float(state["coefficient"])
