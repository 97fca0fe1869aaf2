"""PSR: only right completions train."""

from __future__ import annotations

from torch import Tensor

from crucible.algorithms.groups import on_tokens, rewarded, rewards
from crucible.types import Advantages, Scores


def psr(scores: Scores, group: Tensor, mask: Tensor, *, right_reward: float = 1.0) -> Advantages:
    """1 on completions with a total reward of at least `right_reward`, 0 on all others.

    Positive sample reinforcement, 2506.01347 (authors' code). The rows with 0 stay in the update and in its
    denominators. All wrong: 0. Equal right rewards: 1. No baseline, so a group of one is as good as any other.
    """
    return on_tokens(rewarded(scores, right_reward).to(rewards(scores).dtype), scores, mask)
