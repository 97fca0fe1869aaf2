"""GDPO: each reward component is standardised in its group before they are added."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from crucible.algorithms.groups import Groups, on_tokens, rewards
from crucible.algorithms.returns import standardised
from crucible.config.needs import needs
from crucible.errors import UserError, nearest
from crucible.types import Advantages, Scores


@needs(min_samples_per_prompt=2, because="a group of one has nothing to be compared with")
def gdpo(
    scores: Scores,
    group: Tensor,
    mask: Tensor,
    *,
    weights: Mapping[str, float] | None = None,
    eps: float = 1e-4,
) -> Advantages:
    """A = batch score of sum_k w_k (r_k - mean_g r_k) / (std_g r_k + eps), score = (x - mean) / (std + eps).

    GDPO, 2601.05242: adding the rewards first lets different mixes of them collapse to one advantage.
    `weights` by component name; null takes every component of the reward once ("exact", not its parts "exact/...",
    nor "true/...", which is not rewarded). Both deviations are over n - 1; eps 1e-4 as in the authors' code. The
    batch score is over rows. A component without a number (NaN) on a row is left out there.
    Components that do not differ within any group: 0. Group of one: the batch's -mean / std.
    """
    total = rewards(scores)
    chosen = _chosen(scores, weights)
    everywhere = Groups.of(group, scores.valid, total.dtype)
    mixed = torch.zeros_like(total)
    for name, weight in chosen.items():
        value = scores.components[name].to(total.dtype)
        known = value.isfinite() & everywhere.valid
        groups = Groups.of(group, known, total.dtype)
        centred = groups.centred(torch.where(known, value, torch.zeros_like(value)))
        variance = groups.sum(centred.square()) / (groups.size - 1.0).clamp(min=1.0)
        mixed = mixed + weight * centred / (variance.sqrt() + eps)
    return on_tokens(standardised(mixed, everywhere.valid, eps=eps), scores, mask)


def _chosen(scores: Scores, weights: Mapping[str, float] | None) -> Mapping[str, float]:
    names = [name for name in scores.components if "/" not in name]
    if weights is None and not names:
        raise UserError("gdpo: the reward has no components; use reward=weighted, or algo/advantage=group_norm")
    if weights is None:
        return dict.fromkeys(names, 1.0)
    for name in weights:
        if name not in scores.components:
            raise UserError(
                f"gdpo: weights.{name}: the reward has no such component{nearest(name, scores.components)}; "
                f"it has {', '.join(scores.components) or 'none'}"
            )
    return weights
