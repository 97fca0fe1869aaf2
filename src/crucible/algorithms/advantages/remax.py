"""ReMax: the reward of the greedy completion is the baseline."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from crucible.algorithms.returns import returns_to_go, token_rewards
from crucible.types import Advantages, Scores


def remax(scores: Scores, mask: Tensor, greedy_rewards: Tensor, *, gamma: float = 1.0) -> Advantages:
    """A_t = sum over k >= t of gamma^(k - t) r_k, minus the reward of the prompt's greedy completion.

    ReMax, 2310.10505, as in verl. r is `scores.per_token` (with the KL penalty, where it is in the reward), else the
    total on the last token. The greedy completion never trains; it costs one more completion a prompt. The paper's
    loss is -A log pi: algo/loss=reinforce. A group of one is as good as any other. Rows whose greedy completion has no
    reward (NaN) are left out. Equal rewards of the samples do not give 0, unless the greedy one earns the same.
    """
    known = greedy_rewards.isfinite()
    valid = known if scores.valid is None else known & scores.valid
    found = returns_to_go(token_rewards(replace(scores, valid=valid), mask), gamma)
    baseline = torch.where(known, greedy_rewards, torch.zeros_like(greedy_rewards)).to(found.dtype)
    values = torch.where(valid.unsqueeze(-1), (found - baseline.unsqueeze(-1)) * mask, torch.zeros_like(found))
    return Advantages(values, keep=scores.valid if bool(known.all()) else valid)
