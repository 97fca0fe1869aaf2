"""PPO's critic as a linear head on the policy's hidden states."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from crucible.config.needs import needs
from crucible.errors import UserError


@needs(advantage=["gae"], because="only gae says what the critic's values should have been")
class ValueHead:
    """v_t = w h_t + b, from the state that predicts token t; learned with PPO's clipped value loss.

    PPO, 1707.06347; the value clip as in verl and TRL. Pre-training of the critic: VAPO, 2504.05118 (secondary notes).
    `learning_rate`: of the head alone, in a group of its own, warmed up like the policy's. `coefficient`: 0.1 in
    TRL's PPO. `clip`: furthest a value may move in a step before its loss stops pulling (verl 0.5, TRL 0.2; null:
    no clip). `trunk_gradient`: the value loss also trains the policy's own weights, as in PPO with shared layers.
    `pretrain_steps`: rollout steps at the start in which the head alone is trained.

    Differs from verl and TRL: their critic is a second whole model. Here a head reads the policy's states, so a
    frozen trunk (`trunk_gradient` false) makes it a linear probe.
    """

    reads = "tokens"
    gives = ("values", "returns")

    def __init__(
        self,
        *,
        learning_rate: float = 1e-3,
        coefficient: float = 0.1,
        clip: float | None = 0.5,
        trunk_gradient: bool = False,
        pretrain_steps: int = 0,
    ) -> None:
        if learning_rate <= 0.0 or coefficient <= 0.0:
            raise UserError(
                f"critic: learning_rate is {learning_rate}, coefficient {coefficient}; both must be above 0"
            )
        if clip is not None and clip <= 0.0:
            raise UserError(f"critic: clip is {clip}; give more than 0, or null for none")
        if pretrain_steps < 0:
            raise UserError(f"critic: pretrain_steps is {pretrain_steps}; give 0 or more rollout steps")
        self.learning_rate = learning_rate
        self.coefficient = coefficient
        self.clip = clip
        self.trunk_gradient = trunk_gradient
        self.pretrain_steps = pretrain_steps

    def build(self, width: int) -> nn.Linear:
        """The head for states of `width`; every value is 0 at first."""
        head = nn.Linear(width, 1)
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
        return head

    def reader(self, head: nn.Linear, *, learns_policy: bool = True) -> Callable[[Tensor], Tensor]:
        """(M, D) states -> (M,) values, with the gradient that the trunk is to have."""
        through = self.trunk_gradient and learns_policy

        def read(states: Tensor) -> Tensor:
            states = states if through else states.detach()
            return head(states.to(head.weight.dtype)).squeeze(-1)

        return read

    def per_token(self, predicted: Tensor, values: Tensor, returns: Tensor, mask: Tensor) -> Tensor:
        """(K, T) value loss of the values now `predicted`; `values` are those before the update."""
        return value_loss(predicted, values, returns, mask, clip=self.clip)


def value_loss(predicted: Tensor, values: Tensor, returns: Tensor, mask: Tensor, *, clip: float | None) -> Tensor:
    """(N, T) max((v - R)^2, (v_clipped - R)^2) / 2, v_clipped within `clip` of the old value; 0 on padding.

    The clipped branch, where it is the larger one, has no gradient.
    """
    loss = (predicted - returns).square()
    if clip is not None:
        near = torch.minimum(torch.maximum(predicted, values - clip), values + clip)
        loss = torch.maximum(loss, (near - returns).square())
    return torch.where(mask > 0, loss / 2, torch.zeros_like(loss))


def explained_variance(values: Tensor, returns: Tensor, mask: Tensor) -> float:
    """1 - Var(R - v) / Var(R) over the counted tokens: 1 for a perfect critic, 0 for a constant one."""
    counted = mask > 0
    target, error = returns[counted], (returns - values)[counted]
    spread = target.var(unbiased=False).item()
    return 1.0 - error.var(unbiased=False).item() / spread if spread > 0.0 else 0.0
