"""Efficient exact optimisation, for pairs."""

from __future__ import annotations

import math
from typing import Annotated

import torch.nn.functional as F
from torch import Tensor

from crucible.algorithms.preference.base import check_smoothing, compared
from crucible.algorithms.ratio import check_positive
from crucible.types import PreferenceLoss


def exo_pair(
    chosen_logps: Tensor,
    rejected_logps: Tensor,
    reference_chosen_logps: Tensor,
    reference_rejected_logps: Tensor,
    *,
    beta: Annotated[float, "> 0"] = 0.1,
    label_smoothing: Annotated[float, "> 0, < 0.5"] = 0.001,
) -> PreferenceLoss:
    """KL of (q, 1 - q) from (1 - e, e), q = s(beta d), e = label_smoothing > 0.

    EXO, 2402.00856, Eq. 16 (e 1e-3): the reverse KL, where DPO has the forward one.
    """
    check_positive("exo_pair", beta=beta, label_smoothing=label_smoothing)
    check_smoothing("exo_pair", label_smoothing)
    better = beta * (chosen_logps - reference_chosen_logps)
    worse = beta * (rejected_logps - reference_rejected_logps)
    d = better - worse
    near = d.sigmoid() * (F.logsigmoid(d) - math.log1p(-label_smoothing))
    return compared(near + (-d).sigmoid() * (F.logsigmoid(-d) - math.log(label_smoothing)), better, worse)
