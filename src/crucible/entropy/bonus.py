"""A fixed entropy bonus in the loss."""

from __future__ import annotations

from torch import Tensor

from crucible.entropy.base import EntropyControl


class EntropyBonus(EntropyControl):
    """Adds -coefficient * H to every token's loss.

    A3C, 1602.01783. CE-GPPO compares 0.001 and 0.003 (2509.20712, section 5.5): the first still
    collapses, the second explodes, since a fixed bonus has no set-point. Padding is left to the
    aggregation's mask.
    """

    needs_gradient = True

    def __init__(self, *, coefficient: float = 0.001) -> None:
        self.coefficient = coefficient

    def loss_term(self, entropy: Tensor) -> Tensor:
        return -self.coefficient * entropy

    def after_step(self, mean_entropy: float) -> dict[str, float]:
        return {"entropy/coefficient": self.coefficient}
