"""DRO, direct reward optimisation: REINFORCE with a quadratic pull towards the policy that sampled."""

from __future__ import annotations

from typing import Annotated

from torch import Tensor

from crucible.algorithms.losses.base import report
from crucible.algorithms.ratio import check_positive, log_ratio
from crucible.types import PolicyLoss


def dro(
    logps: Tensor, old_logps: Tensor, advantages: Tensor, mask: Tensor, *, beta: Annotated[float, "> 0"] = 0.5
) -> PolicyLoss:
    """-(A log pi - (beta / 2) (log delta)^2).

    DRO, 2405.19107, token by token as in verl; no default is published (verl asks for one), 0.5 is ours. The
    derivative is -A + beta log delta: at log delta = A / beta a token stops, whatever the sign of A, and beyond
    it is pulled back. beta 0.1 is ROLL's `kimi15`, the token form of Kimi k1.5's mirror descent (2501.12599,
    Eq. 3). A = 0: only the pull.

    Differs from the paper: no learned value function; the advantage comes from its own axis.
    """
    check_positive("dro", beta=beta)
    log_delta = log_ratio(logps, old_logps, mask)
    return PolicyLoss(-(advantages * logps - 0.5 * beta * log_delta.square()), report(log_delta, advantages, mask))
