"""Identity preference optimisation: a margin to be met, not to be pushed without end."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor

from crucible.algorithms.preference.base import compared
from crucible.algorithms.ratio import check_positive
from crucible.types import PreferenceLoss


def ipo(
    chosen_logps: Tensor,
    rejected_logps: Tensor,
    reference_chosen_logps: Tensor,
    reference_rejected_logps: Tensor,
    chosen_lengths: Tensor,
    rejected_lengths: Tensor,
    *,
    beta: Annotated[float, "> 0"] = 0.1,
    by_token: bool = True,
) -> PreferenceLoss:
    """(h - 1 / (2 beta))^2, h = w / |y_w| - l / |y_l|, or h = d where `by_token` is false.

    IPO, 2310.12036, Eq. 17; beta is the paper's tau. The log-ratios are divided by the lengths as in TRL (which had it
    confirmed by the authors); the paper's formula has their sums.
    """
    check_positive("ipo", beta=beta)
    better, worse = chosen_logps - reference_chosen_logps, rejected_logps - reference_rejected_logps
    if by_token:
        better, worse = better / chosen_lengths, worse / rejected_lengths
    return compared((better - worse - 0.5 / beta).square(), beta * better, beta * worse)
