"""Binary classifier optimisation on pairs, without a shift."""

from __future__ import annotations

from typing import Annotated

import torch.nn.functional as F
from torch import Tensor

from crucible.algorithms.preference.base import compared
from crucible.algorithms.ratio import check_positive
from crucible.types import PreferenceLoss


def bco_pair(
    chosen_logps: Tensor,
    rejected_logps: Tensor,
    reference_chosen_logps: Tensor,
    reference_rejected_logps: Tensor,
    *,
    beta: Annotated[float, "> 0"] = 0.1,
) -> PreferenceLoss:
    """-log s(beta w) - log s(-beta l).

    2404.04656, in the form of TRL's loss_type "bco_pair". With a running shift, and on single answers: algo=bco.
    """
    check_positive("bco_pair", beta=beta)
    better = beta * (chosen_logps - reference_chosen_logps)
    worse = beta * (rejected_logps - reference_rejected_logps)
    return compared(-F.logsigmoid(better) - F.logsigmoid(-worse), better, worse)
