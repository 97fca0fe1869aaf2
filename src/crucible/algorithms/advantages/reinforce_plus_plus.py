"""REINFORCE++: returns whitened over the tokens of the batch, no group needed."""

from __future__ import annotations

from torch import Tensor

from crucible.algorithms.returns import returns_to_go, standardised, token_rewards
from crucible.types import Advantages, Scores


def reinforce_plus_plus(
    scores: Scores, group: Tensor, mask: Tensor, *, gamma: float = 1.0, eps: float = 1e-8
) -> Advantages:
    """(G_t - mean) / sqrt(variance + eps) over all tokens of valid rows (n - 1), G_t = sum_k>=t gamma^(k - t) r_k.

    REINFORCE++, 2501.03262, as in verl. r is `scores.per_token` (with the KL penalty, where it is in the reward),
    else the total on the last token. eps is inside the root. Equal returns on all tokens, or one token: 0.
    """
    found = returns_to_go(token_rewards(scores, mask), gamma)
    counted = mask > 0
    if scores.valid is not None:
        counted = counted & scores.valid.unsqueeze(-1)
    return Advantages(standardised(found, counted, eps=eps, eps_in_variance=True), keep=scores.valid)
