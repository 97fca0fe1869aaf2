"""What the training loop asks of an entropy control. Each hook does nothing unless overridden."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

from crucible.errors import UserError
from crucible.types import Advantages


@dataclass(frozen=True, slots=True)
class More:
    """Rows to sample beside the step's own: as many of each of the first `share` of its prompts, at `temperature`.

    They are groups of their own, marked by the name `tempered`; their log-probs are taken at the temperature of the
    others.
    """

    share: float
    temperature: float


class EntropyControl:
    """Entropy is that of the full next-token distribution at the sampling temperature, (N, T), in nats.

    Two hooks come before a rollout step samples:

    temperature  (configured) -> the temperature to sample at, and to take log-probs and entropies at.
    more         -> More, a second helping of rows at another temperature, or None.

    The other hooks are called by name: a control lists, of what the program can give, what it needs.

    shape      -> Advantages. Once a rollout step, all rows, before anything is learned from them.
    weigh      -> (K, T) weights of the per-token policy loss, without gradient; None: 1 everywhere. Once an optimiser
                  step, all its rows, under the policy of that moment: what is ranked or averaged here does not depend
                  on how the rows are cut into micro-batches. Costs a pass of the policy without gradient where it
                  names something of that policy.
    loss_term  -> (K, T) to add to the minimised loss, aggregated like it; None when there is nothing to add.
                  Once a micro-batch.

    `needs_gradient`: loss_term uses the gradient of the exact entropy, so it must be computed with one.
    `shapes`: shape changes advantages.
    """

    needs_gradient: bool = False
    shapes: bool = False

    if TYPE_CHECKING:  # each control's hooks have parameters of their own
        shape: Callable[..., Advantages]
        weigh: Callable[..., Tensor | None]
        loss_term: Callable[..., Tensor | None]
    else:

        def shape(self, advantages):
            return advantages

        def weigh(self):
            return None

        def loss_term(self):
            return None

    def temperature(self, configured: float) -> float:
        return configured

    def more(self) -> More | None:
        return None

    def after_step(self, mean_entropy: float) -> dict[str, float]:
        """Told once per step the token mean of the entropy before its update. Returns metrics."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must hold for the control to go on as if never stopped."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes back a state_dict."""


def finite(control: str, mean_entropy: float) -> float:
    """The measured entropy; UserError where it is no number, since a controller would carry that on for ever."""
    if not math.isfinite(mean_entropy):
        raise UserError(f"entropy {control}: the mean entropy is {mean_entropy}; the policy has diverged")
    return mean_entropy
