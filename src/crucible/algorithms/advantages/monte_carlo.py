"""REINFORCE's return: the reward still to come, without a baseline."""

from __future__ import annotations

from torch import Tensor

from crucible.algorithms.returns import returns_to_go, token_rewards
from crucible.types import Advantages, Scores


def monte_carlo(scores: Scores, group: Tensor, mask: Tensor, *, gamma: float = 1.0) -> Advantages:
    """A_t = sum over k >= t of gamma^(k - t) r_k; r is `scores.per_token`, else the total on the last token.

    REINFORCE (Williams 1992). With gamma 1 and one reward a completion this is R itself, the weight that TOPR
    (2503.14286) and other baseline-free methods put on log pi. Equal rewards do not give 0: nothing is
    subtracted. A group of one is as good as any other.
    """
    return Advantages(returns_to_go(token_rewards(scores, mask), gamma) * mask, keep=scores.valid)
