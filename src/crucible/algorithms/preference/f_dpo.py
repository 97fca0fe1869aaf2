"""DPO with another divergence from the reference than the reverse KL."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch.nn.functional as F
from torch import Tensor

from crucible.algorithms.preference.base import compared
from crucible.algorithms.ratio import check_positive
from crucible.errors import UserError
from crucible.types import PreferenceLoss

EXPONENT_BOUND = 80.0  # exp of it is still a float32 (TRL's bound)


def f_dpo(
    chosen_logps: Tensor,
    rejected_logps: Tensor,
    reference_chosen_logps: Tensor,
    reference_rejected_logps: Tensor,
    *,
    beta: Annotated[float, "> 0"] = 0.1,
    divergence: Literal["forward_kl", "jensen_shannon", "alpha"] = "jensen_shannon",
    alpha: float = 0.5,
) -> PreferenceLoss:
    """-log s(beta (f'(w) - f'(l))), f' of the ratio pi / pi_ref = e^u:

        forward_kl       1 - e^-u
        jensen_shannon   log 2 + log s(u)
        alpha            (e^{(alpha - 1) u} - 1) / (alpha - 1)

    f-DPO, 2309.16240; TRL's f_divergence_type, with its alpha 0.5. The reverse KL, f' = u up to a constant, is DPO.
    Exponents are bounded above by 80, with gradient 0 beyond (TRL bounds those of alpha alone).
    """
    check_positive("f_dpo", beta=beta)
    if divergence == "alpha" and abs(alpha - 1.0) < 1e-6:
        raise UserError("f_dpo: alpha is 1, the reverse KL: use algo=dpo, or another alpha")

    def slope(u: Tensor) -> Tensor:
        if divergence == "forward_kl":
            return 1.0 - (-u).clamp(max=EXPONENT_BOUND).exp()
        if divergence == "jensen_shannon":
            return math.log(2.0) + F.logsigmoid(u)
        return (((alpha - 1.0) * u).clamp(max=EXPONENT_BOUND).exp() - 1.0) / (alpha - 1.0)

    better = beta * slope(chosen_logps - reference_chosen_logps)
    worse = beta * slope(rejected_logps - reference_rejected_logps)
    return compared(-F.logsigmoid(better - worse), better, worse)
