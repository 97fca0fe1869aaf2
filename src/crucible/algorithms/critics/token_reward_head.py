"""OREAL's token-level reward model as a linear head on the policy's hidden states."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from crucible.errors import UserError


class TokenRewardHead:
    """s_t = w h_t from the state that predicts token t; learned with BCE(sigmoid(mean of a row's s), is the row right).

    OREAL, 2502.06781 (authors' code). The mean over tokens is thereby a sum of what each of them adds to "right".
    Right is a total reward of at least `right_reward`. It trains on the rows that the policy trains on, its loss
    aggregated as the policy loss is. `trunk_gradient`: it also trains the policy's own weights.

    Differs from the authors' code: theirs is a second whole model that starts as the policy; here a head reads the
    policy's states, a linear probe while `trunk_gradient` is false. Every score is 0 at first. learning_rate: ours.
    """

    reads = "tokens"
    gives = ("token_scores",)

    def __init__(
        self,
        *,
        learning_rate: float = 1e-3,
        coefficient: float = 1.0,
        right_reward: float = 1.0,
        trunk_gradient: bool = False,
        pretrain_steps: int = 0,
    ) -> None:
        if learning_rate <= 0.0 or coefficient <= 0.0:
            raise UserError(
                f"critic: learning_rate is {learning_rate}, coefficient {coefficient}; both must be above 0"
            )
        if pretrain_steps < 0:
            raise UserError(f"critic: pretrain_steps is {pretrain_steps}; give 0 or more rollout steps")
        self.learning_rate = learning_rate
        self.coefficient = coefficient
        self.right_reward = right_reward
        self.trunk_gradient = trunk_gradient
        self.pretrain_steps = pretrain_steps

    def build(self, width: int) -> nn.Linear:
        """The head for states of `width`; every score is 0 at first."""
        head = nn.Linear(width, 1, bias=False)
        nn.init.zeros_(head.weight)
        return head

    def reader(self, head: nn.Linear, *, learns_policy: bool = True) -> Callable[[Tensor], Tensor]:
        """(M, D) states -> (M,) scores, with the gradient that the trunk is to have."""
        through = self.trunk_gradient and learns_policy

        def read(states: Tensor) -> Tensor:
            states = states if through else states.detach()
            return head(states.to(head.weight.dtype)).squeeze(-1)

        return read

    def per_token(self, predicted: Tensor, rewards: Tensor, mask: Tensor) -> Tensor:
        """(K, T) the cross-entropy of the row on each of its tokens; 0 on padding."""
        scores = torch.where(mask > 0, predicted, torch.zeros_like(predicted))
        mean = scores.sum(-1) / mask.sum(-1).clamp(min=1.0)
        right = (rewards >= self.right_reward).to(mean.dtype)
        return binary_cross_entropy_with_logits(mean, right, reduction="none").unsqueeze(-1) * mask
