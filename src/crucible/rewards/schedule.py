"""A weight that moves with the rollout steps."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from crucible.errors import UserError, nearest
from crucible.types import Context

SHAPES: dict[str, Callable[[float], float]] = {  # share of `start` that is left at t = steps done / `over`
    "linear": lambda t: 1.0 - min(t, 1.0),
    "cosine": lambda t: 0.5 * (1.0 + math.cos(math.pi * min(t, 1.0))),
    "exponential": lambda t: math.exp(-t),
}


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """end + (start - end) s(t), t = rollout steps done / `over`: a weight for `reward=weighted`.

    s is 1 - t or (1 + cos(pi t)) / 2, both 0 from t = 1 on, or exp(-t): the decay of SophiaVL-R1, 2505.17018. `over`
    null is the length of the run. A pure function of the step, so a resumed run goes on with the same weight; an
    evaluation uses the weight of the next training step. A plain number is the constant schedule.

    Errors: UserError for a shape it does not have, for `over` below 1 and for numbers that are not finite.
    """

    steps: int
    start: float = 1.0
    end: float = 0.0
    over: int | None = None
    shape: Literal["linear", "cosine", "exponential"] = "linear"

    def __post_init__(self) -> None:
        if self.shape not in SHAPES:
            raise UserError(f"reward schedule: no shape {self.shape}{nearest(self.shape, SHAPES)}; {', '.join(SHAPES)}")
        if self.over is not None and self.over < 1:
            raise UserError(f"reward schedule: over={self.over} must be at least 1 step, or null for the whole run")
        if not (math.isfinite(self.start) and math.isfinite(self.end)):
            raise UserError(f"reward schedule: start={self.start}, end={self.end}; both must be finite")

    def at(self, context: Context) -> float:
        left = SHAPES[self.shape](steps_done(context) / (self.over or self.steps))
        return self.end + (self.start - self.end) * left


def steps_done(context: Context) -> int:
    """Rollout steps finished when these completions are scored; `context.step` counts the running one in training."""
    return context.step - 1 if context.training and context.step else context.step
