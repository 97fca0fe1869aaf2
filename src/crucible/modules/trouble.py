"""What is done when the numbers of a run go wrong: never trained through, never in silence. Loads no torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from crucible.errors import UserError
from crucible.modules.options import at_least

WINDOW = 100  # updates over which those left out are counted
NUMBERS = {"policy/loss": "loss", "policy/grad_norm": "gradient norm", "critic/grad_norm": "critic's gradient norm"}


class Trouble:
    """Looks at every update before its optimiser step, and at every rollout step after its last update.

    A loss or gradient norm that is no number, or a token with pi / pi_sample above `max_ratio` (null: any): the
    optimiser step is left out, reported and logged (`trouble/skipped`). More than `max_skipped_updates` of the last
    100 updates left out: the run stops, with the reason of the last.

    Mean entropy below `min_entropy` nats (null: never), or `steps_without_signal` rollout steps in a row in which no
    group moves the policy (null: any number): reported once each time it begins, and logged as long as it lasts;
    with `stop` the run stops.

    The policies and their defaults are ours. A healthy run has the same numbers whatever the options.
    Errors: UserError where the run stops, and for options out of range.
    """

    def __init__(
        self,
        *,
        max_skipped_updates: Annotated[int, ">= 0"] = 3,
        max_ratio: Annotated[float, "> 1"] | None = 1e6,
        min_entropy: Annotated[float, "> 0"] | None = 1e-4,
        steps_without_signal: Annotated[int, ">= 1"] | None = 20,
        stop: bool = False,
        report: Callable[[str], None] = print,
    ):
        at_least("trouble.max_skipped_updates", max_skipped_updates, 0)
        if max_ratio is not None:
            at_least("trouble.max_ratio", max_ratio, 1, strictly=True)
        if min_entropy is not None:
            at_least("trouble.min_entropy", min_entropy, 0, strictly=True)
        if steps_without_signal is not None:
            at_least("trouble.steps_without_signal", steps_without_signal, 1)
        self.max_skipped_updates, self.max_ratio = max_skipped_updates, max_ratio
        self.min_entropy, self.steps_without_signal = min_entropy, steps_without_signal
        self.stop, self.report = stop, report
        self.skipped: list[int] = []  # numbers of the updates left out, of the last WINDOW
        self.collapsed = False
        self.quiet_steps = 0  # in a row, up to now

    def of_update(self, step: int, update: int, metrics: Mapping[str, float]) -> dict[str, float]:
        """`trouble/skipped` where the optimiser step that these metrics lead to must not be made; else nothing."""
        reason = self._no_number(metrics) or self._too_far(metrics)
        if reason is None:
            return {}
        self.skipped = [*(u for u in self.skipped if u > update - WINDOW), update]
        if len(self.skipped) > self.max_skipped_updates:
            raise UserError(
                f"step {step}: {reason}; more than trouble.max_skipped_updates={self.max_skipped_updates} of the last "
                f"{WINDOW} updates would be left out: try a smaller optim.lr, and look at the last rows of the metrics"
            )
        self.report(f"step {step}: update {update} is left out, {reason}")
        return {"trouble/skipped": 1.0, "trouble/skipped_recently": float(len(self.skipped))}

    def of_step(self, step: int, metrics: Mapping[str, float]) -> dict[str, float]:
        """What is wrong with the policy, or with what it can learn from, after the last update of a step.

        `metrics` are those of that update and of the step; without `policy/entropy` the entropy is not looked at.
        """
        return self._collapse(step, metrics) | self._silence(step, metrics)

    def _no_number(self, metrics: Mapping[str, float]) -> str | None:
        wrong = [f"{NUMBERS[name]} {metrics[name]}" for name in NUMBERS if not math.isfinite(metrics.get(name, 0.0))]
        return f"no longer a number: {', '.join(wrong)}" if wrong else None

    def _too_far(self, metrics: Mapping[str, float]) -> str | None:
        ratio = metrics.get("policy/ratio_max", 0.0)
        if self.max_ratio is None or ratio <= self.max_ratio:
            return None
        return f"the policy is {ratio:.3g} times as sure of a token as when it was sampled (trouble.max_ratio)"

    def _collapse(self, step: int, metrics: Mapping[str, float]) -> dict[str, float]:
        entropy, before = metrics.get("policy/entropy"), self.collapsed
        if self.min_entropy is None or entropy is None:
            return {}
        self.collapsed = entropy < self.min_entropy
        if not self.collapsed:
            return {}
        if not before or self.stop:
            self._say(step, f"the entropy has collapsed to {entropy:.2g} nats (trouble.min_entropy={self.min_entropy})")
        return {"trouble/collapsed": 1.0}

    def _silence(self, step: int, metrics: Mapping[str, float]) -> dict[str, float]:
        nothing = metrics["groups/without_signal"] == 1.0 or metrics["rows/trained"] == 0.0
        self.quiet_steps = self.quiet_steps + 1 if nothing else 0
        if self.steps_without_signal is None or self.quiet_steps < self.steps_without_signal:
            return {}
        if self.quiet_steps == self.steps_without_signal or self.stop:
            self._say(step, f"no group of the last {self.quiet_steps} steps had anything to learn from")
        return {"trouble/steps_without_signal": float(self.quiet_steps)}

    def _say(self, step: int, what: str) -> None:
        if self.stop:
            raise UserError(f"step {step}: {what}, and trouble.stop=true")
        self.report(f"step {step}: {what}")

    def state_dict(self) -> dict[str, Any]:
        return {"skipped": list(self.skipped), "collapsed": self.collapsed, "quiet_steps": self.quiet_steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.skipped = list(state["skipped"])
        self.collapsed, self.quiet_steps = bool(state["collapsed"]), int(state["quiet_steps"])
