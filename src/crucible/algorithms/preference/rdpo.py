"""Provably robust DPO: an unbiased loss where some pairs are the wrong way round."""

from __future__ import annotations

from typing import Annotated

import torch.nn.functional as F
from torch import Tensor

from crucible.algorithms.preference.base import check_smoothing, compared
from crucible.algorithms.ratio import check_positive
from crucible.types import PreferenceLoss


def rdpo(
    chosen_logps: Tensor,
    rejected_logps: Tensor,
    reference_chosen_logps: Tensor,
    reference_rejected_logps: Tensor,
    *,
    beta: Annotated[float, "> 0"] = 0.1,
    label_smoothing: Annotated[float, ">= 0, < 0.5"] = 0.1,
) -> PreferenceLoss:
    """(-(1 - e) log s(beta d) + e log s(-beta d)) / (1 - 2 e), e = label_smoothing.

    Robust DPO, 2403.00409; TRL's loss_type "robust". Its mean over pairs flipped with probability e is DPO's over the
    true pairs (e 0.1 in the paper). It can be negative and has no lower bound.
    """
    check_positive("rdpo", beta=beta)
    check_smoothing("rdpo", label_smoothing)
    better = beta * (chosen_logps - reference_chosen_logps)
    worse = beta * (rejected_logps - reference_rejected_logps)
    loss = -(1.0 - label_smoothing) * F.logsigmoid(better - worse) + label_smoothing * F.logsigmoid(worse - better)
    return compared(loss / (1.0 - 2.0 * label_smoothing), better, worse)
