"""Length-normalised DPO."""

from __future__ import annotations

from typing import Annotated

import torch.nn.functional as F
from torch import Tensor

from crucible.algorithms.preference.base import compared
from crucible.algorithms.ratio import check_positive
from crucible.types import PreferenceLoss


def dpo_norm(
    chosen_logps: Tensor,
    rejected_logps: Tensor,
    reference_chosen_logps: Tensor,
    reference_rejected_logps: Tensor,
    chosen_lengths: Tensor,
    rejected_lengths: Tensor,
    *,
    beta: Annotated[float, "> 0"] = 5.0,
) -> PreferenceLoss:
    """-log s(beta (w / |y_w| - l / |y_l|)).

    Tulu 3, 2411.15124 (beta 5); TRL's loss_type "sigmoid_norm". A long answer has no larger say than a short one.
    """
    check_positive("dpo_norm", beta=beta)
    better = beta * (chosen_logps - reference_chosen_logps) / chosen_lengths
    worse = beta * (rejected_logps - reference_rejected_logps) / rejected_lengths
    return compared(-F.logsigmoid(better - worse), better, worse)
