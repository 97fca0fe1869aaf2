"""TRL's form of the adaptive entropy bonus: larger steps, and the target itself counts as too low."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from crucible.entropy.base import EntropyControl, finite
from crucible.errors import UserError


class AdaptiveEntropyTRL(EntropyControl):
    """-c H while the last measured entropy is at most the target; c <- min(c + delta, maximum) there,
    max(c - delta, minimum) above it.

    TRL's GRPO trainer (use_adaptive_entropy), after Skywork-OR1, 2505.22312. Defaults are TRL's. H is in nats.
    Each bound acts on its own side only: a start outside them is not pulled in. Off until something is measured.

    Differs from TRL: the entropy is measured once a rollout step, before its first update, not in every optimiser
    step; the bonus is aggregated like the policy loss, there always by token mean.
    """

    needs_gradient = True

    def __init__(
        self,
        *,
        target: float = 0.2,
        delta: float = 0.005,
        minimum: float = 0.0,
        maximum: float = 1.0,
        start: float = 0.0,
    ) -> None:
        if minimum > maximum:
            raise UserError(f"entropy adaptive_trl: minimum {minimum} is above maximum {maximum}")
        self.target = target
        self.delta = delta
        self.minimum = minimum
        self.maximum = maximum
        self.coefficient = start
        self.active = False

    def loss_term(self, entropy: Tensor) -> Tensor | None:
        return -self.coefficient * entropy if self.active and self.coefficient != 0.0 else None

    def after_step(self, mean_entropy: float) -> dict[str, float]:
        self.active = finite("adaptive_trl", mean_entropy) <= self.target
        if self.active:
            self.coefficient = min(self.coefficient + self.delta, self.maximum)
        else:
            self.coefficient = max(self.coefficient - self.delta, self.minimum)
        return {"entropy/coefficient": self.coefficient, "entropy/active": float(self.active)}

    def state_dict(self) -> dict[str, Any]:
        return {"coefficient": self.coefficient, "active": self.active}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.coefficient = float(state["coefficient"])
        self.active = bool(state["active"])
