"""Dynamic fine-tuning: tokens weigh as much as the model already believes in them."""

from __future__ import annotations

from torch import Tensor

from crucible.types import PolicyLoss


def dft(logps: Tensor) -> PolicyLoss:
    """-sg(p) log p.

    DFT, 2508.05629, Eq. 9; TRL's loss_type "dft". Weight p: plain supervised learning is a policy gradient with the
    importance weight 1 / p, which this cancels. A token the model finds nearly impossible teaches nothing, so data the
    model is far from are not learned.
    """
    return PolicyLoss(-logps.detach().exp() * logps)
