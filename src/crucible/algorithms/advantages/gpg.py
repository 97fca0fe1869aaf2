"""GPG's advantage: centred rewards, scaled up for the rows that carry no signal."""

from __future__ import annotations

from torch import Tensor

from crucible.algorithms.groups import on_tokens, reward_groups
from crucible.config.needs import needs
from crucible.types import Advantages, Scores


@needs(min_samples_per_prompt=2, because="a group of one has nothing to be compared with")
def gpg(scores: Scores, group: Tensor, mask: Tensor, *, scale: float = 1.0) -> Advantages:
    """alpha (R - mean_g) / scale, alpha = valid rows of the batch / rows with a reward other than 0 (at least 1).

    GPG, 2504.02546, as in verl; `scale` is its F (f_norm), 1. The paper's loss is -A log pi: algo/loss=reinforce.
    Equal rewards: 0. Differs from verl: a group of one is centred to 0, not left at alpha R.
    """
    total, groups = reward_groups(scores, group)
    paid = (groups.valid & (total != 0)).to(total.dtype).sum().clamp(min=1.0)
    alpha = groups.valid.to(total.dtype).sum() / paid
    return on_tokens(alpha * groups.centred(total) / scale, scores, mask)
