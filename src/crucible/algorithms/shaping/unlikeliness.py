"""Unlikeliness reward: right answers the policy thought unlikely are paid in full, likely ones a little less."""

from __future__ import annotations

from torch import Tensor

from crucible.algorithms.groups import reward_groups
from crucible.algorithms.shaping.change import with_total
from crucible.config.needs import needs
from crucible.types import Scores


@needs(min_samples_per_prompt=2, because="the rank is among the completions of a prompt")
def unlikeliness(scores: Scores, group: Tensor, mask: Tensor, old_logps: Tensor, *, beta: float = 0.25) -> Scores:
    """R (1 - beta rank), rank = place of the row's mean old log-prob in its group, ascending, over the group size.

    2506.02355 (authors' code): beta 0.25, G 32. The least likely row has rank 0; a wrong row keeps its 0. Rows of
    equal log-prob share the lower rank (there the order of the rows decides). Group of one: unchanged.
    """
    total, groups = reward_groups(scores, group)
    likelihood = (old_logps * mask).sum(-1) / mask.sum(-1).clamp(min=1.0)
    rank = groups.rank(likelihood.to(total.dtype)) / groups.size.clamp(min=1.0)
    return with_total(scores, total * (1.0 - beta * rank), mask)
