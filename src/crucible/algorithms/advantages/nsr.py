"""NSR: only wrong completions train, away from what was sampled."""

from __future__ import annotations

import torch
from torch import Tensor

from crucible.algorithms.groups import on_tokens, rewarded, rewards
from crucible.types import Advantages, Scores


def nsr(scores: Scores, group: Tensor, mask: Tensor, *, right_reward: float = 1.0) -> Advantages:
    """-1 on completions with a total reward under `right_reward`, 0 on all others.

    Negative sample reinforcement, 2506.01347 (authors' code). The probability taken from a wrong token goes to the
    others in proportion to what they have, which keeps diversity. The rows with 0 stay in the update and in its
    denominators. All right: 0. Equal wrong rewards: -1.
    """
    total = rewards(scores)
    right = rewarded(scores, right_reward)
    wrong = ~right if scores.valid is None else ~right & scores.valid
    return on_tokens(torch.where(wrong, -torch.ones_like(total), torch.zeros_like(total)), scores, mask)
