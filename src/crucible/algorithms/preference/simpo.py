"""Simple preference optimisation: the mean log-prob as the reward, without a reference."""

from __future__ import annotations

from typing import Annotated

import torch.nn.functional as F
from torch import Tensor

from crucible.algorithms.preference.base import check_smoothing, compared
from crucible.algorithms.ratio import check_positive
from crucible.types import PreferenceLoss


def simpo(
    chosen_logps: Tensor,
    rejected_logps: Tensor,
    chosen_lengths: Tensor,
    rejected_lengths: Tensor,
    *,
    beta: Annotated[float, "> 0"] = 2.0,
    gamma: Annotated[float, ">= 0"] = 1.0,
    alpha: float = 0.0,
    label_smoothing: Annotated[float, ">= 0, < 0.5"] = 0.0,
) -> PreferenceLoss:
    """-log s(beta (r_w - r_l) - gamma), r = a = log pi(y) / |y|; with alpha > 0 r = (1 - e^{-alpha a}) / alpha.

    SimPO, 2405.14734, Eq. 6: beta 2 to 2.5 (up to 10), gamma / beta 0.3 to 0.5. alpha: AlphaPO, 2501.03884; 0 is SimPO.
    label_smoothing as in conservative DPO (TRL's option).
    Differs from TRL: its CPOTrainer adds CPO's likelihood term unless cpo_alpha is 0.
    """
    check_positive("simpo", beta=beta)
    check_smoothing("simpo", label_smoothing)
    better, worse = chosen_logps / chosen_lengths, rejected_logps / rejected_lengths
    if alpha != 0:
        better, worse = (1.0 - (-alpha * better).exp()) / alpha, (1.0 - (-alpha * worse).exp()) / alpha
    d = beta * (better - worse) - gamma
    loss = -(1.0 - label_smoothing) * F.logsigmoid(d) - label_smoothing * F.logsigmoid(-d)
    return compared(loss, beta * better, beta * worse)
