"""Log-probs of whole answers, for the preference objectives."""

from __future__ import annotations

import torch
from torch import Tensor

from crucible.modules.microbatch import micro_batches
from crucible.policy.policy import Policy
from crucible.types import Rollouts


@torch.no_grad()
def answer_logps(policy: Policy, rows: Rollouts, mine: Tensor, tokens: int) -> Tensor:
    """(N,) summed over the tokens of each row of `mine` (K,); 0 elsewhere. On the CPU, without gradient."""
    found = torch.zeros(len(rows))
    for part in micro_batches(rows, mine, tokens):
        found[part.index] = part.forward(policy).logps.sum(-1).cpu()
    return found


def first_tokens(per_token: Tensor, numbers: Tensor) -> Tensor:
    """(K,) the sum of the first `numbers` (K,) columns of each row of (K, T)."""
    places = torch.arange(per_token.shape[1], device=per_token.device)
    return (per_token * (places < numbers.unsqueeze(-1))).sum(-1)
