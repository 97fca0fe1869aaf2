"""Perplexity-based advantage shaping: answers the policy finds likely count more."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from crucible.algorithms.groups import Groups
from crucible.entropy.base import EntropyControl
from crucible.entropy.tokens import row_means
from crucible.errors import UserError
from crucible.types import Advantages


class PerplexityAdvantage(EntropyControl):
    """A' = A max(1 - alpha w, 0), w = (log PPL - mean) / std, log PPL = -mean over the row's tokens of log pi_old.

    Described by secondary notes on 2508.07534 (and 2508.02260, same group); the original equation was not seen, nor
    alpha, nor whether mean and std (population) run over the group or over the batch: `over` chooses. A row without
    tokens and one without a reward take no part. Equal perplexities: nothing changes.

    Differs from the notes: the factor is never negative, since alpha w > 1 would turn the advantage round.
    """

    shapes = True

    def __init__(self, *, alpha: float = 0.01, over: Literal["group", "batch"] = "group") -> None:
        if over not in ("group", "batch"):
            raise UserError(f'entropy perplexity_advantage: over is "{over}"; give group or batch')
        self.alpha, self.over = alpha, over

    def shape(self, advantages: Advantages, old_logps: Tensor, mask: Tensor, group: Tensor) -> Advantages:
        log_ppl = -row_means(old_logps, mask)
        counts = (mask > 0).any(-1)
        if advantages.keep is not None:
            counts = counts & advantages.keep
        where = group if self.over == "group" else torch.zeros_like(group)
        groups = Groups.of(where, counts, log_ppl.dtype)
        centred = groups.centred(log_ppl)
        deviation = (groups.sum(centred.square()) / groups.size.clamp(min=1.0)).sqrt()
        w = torch.where(deviation > 0, centred / torch.where(deviation > 0, deviation, 1.0), 0.0)
        factor = (1.0 - self.alpha * w).clamp(min=0.0)
        return replace(advantages, values=advantages.values * factor.unsqueeze(-1))
