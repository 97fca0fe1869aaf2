"""The hinge loss of sequence likelihood calibration."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor

from crucible.algorithms.preference.base import compared
from crucible.algorithms.ratio import check_positive
from crucible.types import PreferenceLoss


def hinge(
    chosen_logps: Tensor,
    rejected_logps: Tensor,
    reference_chosen_logps: Tensor,
    reference_rejected_logps: Tensor,
    *,
    beta: Annotated[float, "> 0"] = 0.1,
) -> PreferenceLoss:
    """max(0, 1 - beta d).

    SLiC, 2305.10425, in the normalised form of 2309.06657 and TRL; 1 / beta is the margin. A pair beyond the margin
    teaches nothing more.
    """
    check_positive("hinge", beta=beta)
    better = beta * (chosen_logps - reference_chosen_logps)
    worse = beta * (rejected_logps - reference_rejected_logps)
    return compared((1.0 - better + worse).clamp(min=0.0), better, worse)
