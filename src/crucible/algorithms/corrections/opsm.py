"""Off-policy sequence masking: bad completions that the policy would hardly write any more are left alone."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from crucible.algorithms.corrections.levels import corrected
from crucible.algorithms.ratio import log_ratio
from crucible.errors import UserError
from crucible.types import Correction


def opsm(
    logps: Tensor, sampling_logps: Tensor, advantages: Tensor, mask: Tensor, *, delta: Annotated[float, ">= 0"] = 0.5
) -> Correction:
    """Weight 0 on a completion with a negative advantage and mean(log pi_sample - log pi) > delta, else 1.

    DeepSeek-V3.2, 2512.02556, off-policy sequence masking. The mean is over the completion's tokens, with the policy
    of the moment, so what is left alone grows within a step. delta 0.5 is TRL's suggestion. The sign of a
    completion is that of its summed advantages; positive ones are never dropped. Dropped tokens still count in the
    denominators, as in TRL. Works with either algo.old_logps.
    """
    if not delta >= 0.0:
        raise UserError(f"correction opsm: delta is {delta}; give 0 or more nats per token")
    x = log_ratio(logps.detach(), sampling_logps, mask)
    divergence = -x.sum(-1, keepdim=True) / mask.sum(-1, keepdim=True).clamp(min=1.0)
    negative = (advantages * mask).sum(-1, keepdim=True) < 0
    keep = ~(negative & (divergence > delta))
    return corrected(torch.ones_like(x), keep.expand_as(x).to(x.dtype), mask)
