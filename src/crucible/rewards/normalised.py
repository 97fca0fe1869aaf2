"""A reward in standard deviations from its mean, so that rewards of different scales can be added."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from crucible.errors import UserError, nearest
from crucible.rewards.nodes import Asked, Transform
from crucible.types import Reward

if TYPE_CHECKING:
    from torch import Tensor

_OVER = ("group", "batch")


class Normalised(Transform):
    """(r - mean) / (std + eps) over the rows `over` which it is taken: those of the prompt, or all of the batch.

    Std with n - 1. Before adding two rewards, as BLEUBERI does per prompt, 2505.11080 (authors' code, eps 1e-6; their
    std's denominator was not found). Only rows with a value count; equal rewards and a single row give 0. Nothing is
    remembered between steps. In evaluations the mean per prompt is 0 whatever the policy does: look at `raw` there.

    Errors: UserError for another `over`, or eps not above 0.
    """

    def __init__(self, *, raw: Reward, over: Literal["group", "batch"] = "group", eps: float = 1e-6):
        if over not in _OVER:
            raise UserError(f'reward normalised: over is "{over}"; give group or batch{nearest(over, _OVER)}')
        if not eps > 0:
            raise UserError(f"reward normalised: eps={eps} must be above 0")
        super().__init__(raw)
        self.over, self.eps = over, eps

    def change(self, total: Tensor, known: Tensor, asked: Asked) -> Tensor:
        from crucible.algorithms.groups import Groups

        group = asked.context.group if self.over == "group" else asked.context.group * 0
        groups = Groups.of(group, known, total.dtype)
        centred = groups.centred(total)
        variance = groups.sum(centred.square()) / (groups.size - 1.0).clamp(min=1.0)
        return centred / (variance.sqrt() + self.eps)
