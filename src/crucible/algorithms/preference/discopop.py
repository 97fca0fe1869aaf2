"""The loss that a language model discovered: logistic and exponential, blended by the margin."""

from __future__ import annotations

from typing import Annotated

import torch.nn.functional as F
from torch import Tensor

from crucible.algorithms.preference.base import compared
from crucible.algorithms.ratio import check_positive
from crucible.types import PreferenceLoss


def discopop(
    chosen_logps: Tensor,
    rejected_logps: Tensor,
    reference_chosen_logps: Tensor,
    reference_rejected_logps: Tensor,
    *,
    beta: Annotated[float, "> 0"] = 0.05,
    tau: Annotated[float, "> 0"] = 0.05,
) -> PreferenceLoss:
    """(1 - m) (-log s(beta d)) + m exp(-beta d), m = s(beta d / tau).

    DiscoPOP, 2406.08414, Eq. 5 (beta and tau 0.05). Not convex: near d = 0 a pair may be pushed the wrong way.
    """
    check_positive("discopop", beta=beta, tau=tau)
    better = beta * (chosen_logps - reference_chosen_logps)
    worse = beta * (rejected_logps - reference_rejected_logps)
    share = ((better - worse) / tau).sigmoid()
    return compared((1.0 - share) * -F.logsigmoid(better - worse) + share * (worse - better).exp(), better, worse)
