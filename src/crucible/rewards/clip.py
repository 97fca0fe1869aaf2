"""A reward kept between bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crucible.errors import UserError
from crucible.rewards.nodes import Asked, Transform
from crucible.types import Reward

if TYPE_CHECKING:
    from torch import Tensor


class Clip(Transform):
    """The reward `raw`, never below `low` nor above `high`; null is no bound. Inside the bounds nothing changes.

    Errors: UserError where low is not below high, or both are null.
    """

    def __init__(self, *, raw: Reward, low: float | None = -1.0, high: float | None = 1.0):
        if low is None and high is None:
            raise UserError("reward clip: low and high are both null, so nothing is clipped")
        if low is not None and high is not None and not low < high:
            raise UserError(f"reward clip: low={low} must be below high={high}")
        super().__init__(raw)
        self.low, self.high = low, high

    def change(self, total: Tensor, known: Tensor, asked: Asked) -> Tensor:
        return total.clamp(self.low, self.high)
