"""An entropy bonus whose coefficient follows a target from below."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from crucible.entropy.base import EntropyControl, finite
from crucible.errors import UserError


class AdaptiveEntropy(EntropyControl):
    """-c H while the last measured entropy is below the target; c rises there and falls above it.

    Skywork-OR1, 2505.22312: c <- clip(c + delta if H < target else c - delta, minimum, maximum), and the
    bonus is c 1[H < target] H. Defaults are those of its code. H is in nats and at the target counts as not
    below. Starts at c = `start` with the bonus off, since nothing has been measured yet.

    Differs from the paper: the entropy measured in a step sets the bonus of the next one (as in TRL);
    there the same step's, which would need the entropy of the whole batch before the first micro-batch.
    """

    needs_gradient = True

    def __init__(
        self,
        *,
        target: float = 0.2,
        delta: float = 1e-4,
        minimum: float = 0.0,
        maximum: float = 0.005,
        start: float = 0.0,
    ) -> None:
        if not minimum <= start <= maximum:
            raise UserError(f"entropy adaptive: start is {start}; give a value within [{minimum}, {maximum}]")
        self.target = target
        self.delta = delta
        self.minimum = minimum
        self.maximum = maximum
        self.coefficient = start
        self.active = False

    def loss_term(self, entropy: Tensor) -> Tensor | None:
        return -self.coefficient * entropy if self.active and self.coefficient > 0.0 else None

    def after_step(self, mean_entropy: float) -> dict[str, float]:
        self.active = finite("adaptive", mean_entropy) < self.target
        moved = self.coefficient + (self.delta if self.active else -self.delta)
        self.coefficient = min(max(moved, self.minimum), self.maximum)
        return {"entropy/coefficient": self.coefficient, "entropy/active": float(self.active)}

    def state_dict(self) -> dict[str, Any]:
        return {"coefficient": self.coefficient, "active": self.active}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.coefficient = float(state["coefficient"])
        self.active = bool(state["active"])
