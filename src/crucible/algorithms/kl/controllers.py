"""What sets the strength of a KL penalty."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from crucible.errors import UserError


class Controller:
    """beta, fixed; or, with a `target`, moved towards it by the measured KL.

    Ziegler et al., 1909.08593, section 2.2, in verl's form: beta <- beta (1 + clip(KL / target - 1, -0.2, 0.2) n /
    horizon), where n is the number of completions since the last change. KL in nats, as the penalty measures it.

    Differs from the paper: its KL is that of whole completions; here the mean over tokens, as in verl.
    """

    def __init__(self, coefficient: float, target: float | None, horizon: int) -> None:
        if not 0.0 <= coefficient < math.inf:
            raise UserError(f"kl: coefficient is {coefficient}; give 0 or more")
        if target is not None and not target > 0.0:
            raise UserError(f"kl: target is {target}; give a KL above 0 in nats, or null for a fixed coefficient")
        if horizon < 1:
            raise UserError(f"kl: horizon is {horizon}; give at least 1 completion")
        self.coefficient = coefficient
        self.target = target
        self.horizon = horizon

    def update(self, kl: float, completions: int) -> None:
        """Moves beta after a step in which `kl` was measured on so many completions."""
        if self.target is None:
            return
        if not math.isfinite(kl):
            raise UserError(f"kl: the measured KL is {kl}; the policy has diverged")
        error = min(max(kl / self.target - 1.0, -0.2), 0.2)
        self.coefficient *= max(1.0 + error * completions / self.horizon, 0.0)

    def state_dict(self) -> dict[str, Any]:
        return {"coefficient": self.coefficient}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        if self.target is not None:
            self.coefficient = float(state["coefficient"])
