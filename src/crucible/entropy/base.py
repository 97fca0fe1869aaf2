"""What the training loop asks of an entropy control. Each hook does nothing unless overridden."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from crucible.types import Advantages


class EntropyControl:
    """Entropy is that of the full next-token distribution at the sampling temperature, (N, T), in nats.

    `needs_gradient`: loss_term uses the gradient of the exact entropy, so it must be computed with one.
    `shapes`: shape changes advantages, so the entropy must be known before the update.
    """

    needs_gradient: bool = False
    shapes: bool = False

    def shape(self, advantages: Advantages, entropy: Tensor, mask: Tensor) -> Advantages:
        """Before the update: the advantages to train on. `entropy` carries no gradient here."""
        return advantages

    def loss_term(self, entropy: Tensor, mask: Tensor) -> Tensor | None:
        """(N, T) to add to the minimised loss, aggregated like it; None when there is nothing to add."""
        return None

    def after_step(self, mean_entropy: float) -> dict[str, float]:
        """Told once per step the token mean of the entropy before its update. Returns metrics."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must hold for the control to go on as if never stopped."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes back a state_dict."""
