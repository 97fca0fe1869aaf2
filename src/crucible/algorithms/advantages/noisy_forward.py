"""Forward correction of a verifier that errs: only its false negatives need to be known."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from crucible.algorithms.groups import on_tokens, rewarded, rewards
from crucible.errors import UserError
from crucible.types import Advantages, Scores


def noisy_forward(
    scores: Scores,
    group: Tensor,
    mask: Tensor,
    *,
    false_negative: Annotated[float, ">= 0, < 1"] = 0.2,
    right_reward: float = 1.0,
) -> Advantages:
    """rho1 where the verifier says right, rho1 - 1 where it says wrong; rho1 = `false_negative` rate.

    PGFC, 2510.00915: given the truth its mean is 0 for a right and -(1 - rho0 - rho1) for a wrong completion, the
    clean gradient with a constant baseline, whatever the rate rho0 of false positives. Right is a total reward of
    at least `right_reward`. The paper estimates rho1 on the way by appeals to a second verifier; here it is given.
    Equal rewards do not give 0.
    """
    if not 0.0 <= false_negative < 1.0:
        raise UserError(f"noisy_forward: false_negative is {false_negative}; give a rate from 0 to under 1")
    total = rewards(scores)
    weight = false_negative - 1.0 + rewarded(scores, right_reward).to(total.dtype)
    valid = torch.ones_like(total, dtype=torch.bool) if scores.valid is None else scores.valid
    return on_tokens(torch.where(valid, weight, 0.0), scores, mask)
