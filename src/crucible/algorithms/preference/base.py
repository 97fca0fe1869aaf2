"""What the losses of pairs have in common: log-ratios, and the report of what they compare."""

from __future__ import annotations

from torch import Tensor

from crucible.errors import UserError
from crucible.types import PreferenceLoss


def compared(per_item: Tensor, chosen_reward: Tensor, rejected_reward: Tensor, **more: Tensor) -> PreferenceLoss:
    """The loss of pairs with the implicit rewards it compares; `more` diagnostics by name."""
    found = {"chosen_reward": chosen_reward, "rejected_reward": rejected_reward, **more}
    return PreferenceLoss(per_item, {name: value.detach() for name, value in found.items()})


def check_smoothing(loss: str, label_smoothing: float) -> None:
    """Raises UserError for a share of flipped labels that leaves nothing to learn."""
    if not 0.0 <= label_smoothing < 0.5:
        raise UserError(
            f"{loss}: label_smoothing is {label_smoothing}, the share of flipped pairs; give 0 to below 0.5"
        )
