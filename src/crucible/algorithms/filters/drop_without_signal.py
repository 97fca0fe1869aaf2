"""DAPO's dynamic-sampling filter: drop the groups that cannot teach anything."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from crucible.algorithms.groups import Groups, reward_groups
from crucible.config.needs import needs
from crucible.errors import UserError, nearest
from crucible.types import Scores

_MEASURES = ("success", "reward")


@needs(min_samples_per_prompt=2, because="a group of one has nothing to be compared with")
def drop_without_signal(
    success: Tensor, scores: Scores, group: Tensor, *, by: Literal["success", "reward"] = "reward"
) -> Tensor:
    """(N,) bool: True for the rows of groups in which the measure takes at least two values.

    DAPO, 2503.14476, section 3.2: groups whose accuracy is 0 or 1 are dropped; CE-GPPO's scripts drop those whose
    accuracy has standard deviation 0, the same for right/wrong answers. by="reward" looks at `scores.verdict`
    where the reward has one (rlbff: Yes or No), else at `scores.total`, which is that accuracy under reward=exact.
    A graded reward without a verdict differs in nearly every group, and dividing by the group's std then turns
    its noise into full-size advantages. by="success" looks at the raw `success` (right or wrong) whatever is
    rewarded: for rewards shaped on top of it (DAPO's length term). It is not the default because it lets the
    truth into runs whose reward must not know it. Rows without a reward are not looked at; a group with fewer
    than two others is dropped.

    Differs from the paper: it does not sample again to refill the batch. verl keeps groups of one.
    """
    if by not in _MEASURES:
        raise UserError(f'drop_without_signal: by is "{by}"; give success or reward{nearest(by, _MEASURES)}')
    if by == "reward" and scores.verdict is None:
        measure, groups = reward_groups(scores, group)
    else:
        seen = success if by == "success" or scores.verdict is None else scores.verdict
        measure = seen.to(torch.get_default_dtype())
        groups = Groups.of(group, scores.valid, measure.dtype)
    return -groups.least(-measure) > groups.least(measure)
