"""Plain supervised fine-tuning."""

from __future__ import annotations

from torch import Tensor

from crucible.types import PolicyLoss


def nll(logps: Tensor) -> PolicyLoss:
    """-log p, nats.

    The loss of supervised fine-tuning; TRL's loss_type "nll". Every token has weight 1, however unlikely it is.
    """
    return PolicyLoss(-logps)
