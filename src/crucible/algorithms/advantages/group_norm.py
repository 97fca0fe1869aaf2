"""GRPO's advantage: the reward standardised within its group."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from crucible.algorithms.groups import on_tokens, reward_groups
from crucible.config.needs import needs
from crucible.errors import UserError, nearest
from crucible.types import Advantages, Scores

_DEGREES_LOST = {"unbiased": 1, "population": 0}


@needs(min_samples_per_prompt=2, because="a group of one has nothing to be compared with")
def group_norm(
    scores: Scores,
    group: Tensor,
    mask: Tensor,
    *,
    std: Literal["unbiased", "population"] = "unbiased",
    eps: float = 1e-6,
) -> Advantages:
    """(R - mean_g) / (std_g + eps).

    GRPO, 2402.03300, section 4.1.2. "unbiased" divides the squared deviations by G - 1, as verl, TRL and the
    official CE-GPPO code do; "population" by G. eps: 1e-6 in verl and CE-GPPO, 1e-4 in TRL.

    Equal rewards: exactly 0. Group of one: 0.
    Differs from verl: there a group of one keeps its raw reward (mean 0, std 1).
    """
    if std not in _DEGREES_LOST:
        raise UserError(f'group_norm: std is "{std}"; give unbiased or population{nearest(std, _DEGREES_LOST)}')
    total, groups = reward_groups(scores, group)
    centred = groups.centred(total)
    variance = groups.sum(centred.square()) / (groups.size - _DEGREES_LOST[std]).clamp(min=1.0)
    return on_tokens(centred / (variance.sqrt() + eps), scores, mask)
