"""Direct preference optimisation."""

from __future__ import annotations

from typing import Annotated

import torch.nn.functional as F
from torch import Tensor

from crucible.algorithms.preference.base import check_smoothing, compared
from crucible.algorithms.ratio import check_positive
from crucible.types import PreferenceLoss


def dpo(
    chosen_logps: Tensor,
    rejected_logps: Tensor,
    reference_chosen_logps: Tensor,
    reference_rejected_logps: Tensor,
    *,
    beta: Annotated[float, "> 0"] = 0.1,
    label_smoothing: Annotated[float, ">= 0, < 0.5"] = 0.0,
) -> PreferenceLoss:
    """-(1 - e) log s(beta d) - e log s(-beta d), e = label_smoothing.

    DPO, 2305.18290, Eq. 7, with e = 0; beta 0.1 is TRL's default. With e > 0 conservative DPO (cDPO, Mitchell 2023):
    a share e of the pairs is taken to be the wrong way round, so the margin has a finite optimum. The derivative in w
    is beta (s(beta d) - 1 + e), in l the opposite.
    """
    check_positive("dpo", beta=beta)
    check_smoothing("dpo", label_smoothing)
    better = beta * (chosen_logps - reference_chosen_logps)
    worse = beta * (rejected_logps - reference_rejected_logps)
    loss = -(1.0 - label_smoothing) * F.logsigmoid(better - worse) - label_smoothing * F.logsigmoid(worse - better)
    return compared(loss, better, worse)
