"""Entropy steered by the sampling temperature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from crucible.entropy.base import EntropyControl, finite
from crucible.errors import UserError, nearest

_RULES = ("proportional", "switch")


class TemperatureControl(EntropyControl):
    """T <- clip(T + gain (target - H), minimum, maximum) after each rollout step; "switch": maximum where H <= target,
    else minimum.

    Inferred: a plain controller; the two levels are those of AEPO, 2510.08141, which uses them for a part of the rows
    only (entropy=arbitrary_entropy). It starts at sampling.temperature. H is the mean entropy at the temperature of
    the step, in nats. Log-probs, ratios and entropies of a step are all taken at its T, so that the ratio is 1 before
    the first update; evaluations keep their own temperature.

    It changes what is sampled and the softmax that learns, not the loss: with T above 1 the policy at T = 1 becomes
    sharper than what is seen here.
    """

    def __init__(
        self,
        *,
        target: float = 0.2,
        gain: float = 1.0,
        minimum: float = 0.8,
        maximum: float = 1.2,
        rule: Literal["proportional", "switch"] = "proportional",
    ) -> None:
        if rule not in _RULES:
            raise UserError(
                f'entropy temperature_control: rule is "{rule}"; give proportional or switch{nearest(rule, _RULES)}'
            )
        if not 0.0 < minimum <= maximum:
            raise UserError(
                f"entropy temperature_control: minimum is {minimum} and maximum {maximum}; give 0 < minimum <= maximum"
            )
        self.target, self.gain, self.rule = target, gain, rule
        self.minimum, self.maximum = minimum, maximum
        self.current: float | None = None  # until something is measured the configured one

    def temperature(self, configured: float) -> float:
        if self.current is None:
            self.current = configured
        return self.current

    def after_step(self, mean_entropy: float) -> dict[str, float]:
        short = self.target - finite("temperature_control", mean_entropy)
        used = 1.0 if self.current is None else self.current
        if self.rule == "switch":
            self.current = self.maximum if short >= 0.0 else self.minimum
        else:
            self.current = min(max(used + self.gain * short, self.minimum), self.maximum)
        return {"entropy/temperature": used}

    def state_dict(self) -> dict[str, Any]:
        return {"current": self.current}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.current = None if state["current"] is None else float(state["current"])
