"""G-RA: lesser rewards count only where the reward that matters clears its gate."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from crucible.algorithms.groups import rewards
from crucible.algorithms.shaping.change import with_total
from crucible.errors import UserError, nearest
from crucible.types import Scores


def gated_accumulation(
    scores: Scores,
    group: Tensor,
    mask: Tensor,
    *,
    high: str | None = None,
    low: Mapping[str, float] | None = None,
    gate: float = 0.0,
) -> Scores:
    """high + 1[high > gate] sum_k w_k low_k, by the names of the reward's components.

    G-RA, 2508.10548: adding step rewards outright lets their sum grow while the outcome falls. Secondary notes; the
    threshold was not found. `high` null is the reward's first component. `low` gives the weights; null takes every
    other component once ("format", not its parts "format/..." nor "true/..."). Replaces the total of the reward.
    """
    own = [name for name in scores.components if "/" not in name]
    if not own:
        raise UserError("gated_accumulation: the reward has no components; use reward=weighted")
    main = own[0] if high is None else high
    weights = {name: 1.0 for name in own if name != main} if low is None else low
    for name in (main, *weights):
        if name not in scores.components:
            raise UserError(
                f"gated_accumulation: the reward has no component {name}{nearest(name, scores.components)}; "
                f"it has {', '.join(scores.components) or 'none'}"
            )
    total = rewards(scores)
    first = scores.components[main].to(total.dtype)
    extra = torch.zeros_like(total)
    for name, weight in weights.items():
        extra = extra + weight * scores.components[name].to(total.dtype)
    return with_total(scores, first + torch.where(first > gate, extra, torch.zeros_like(extra)), mask)
