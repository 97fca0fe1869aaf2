"""FlowRL's log Z: a small network on the mean of the prompt's hidden states."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from crucible.config.needs import needs
from crucible.errors import UserError


@needs(loss=["flowrl"], because="only flowrl says what log Z should be")
class PartitionHead:
    """log Z(x) = f(mean of the last hidden states of the prompt), f of `layers` linear layers with GELU and LayerNorm.

    FlowRL, 2509.15207 (authors' recipe: 3 layers, as wide as the model). It has no loss of its own: algo/loss=flowrl
    trains it, and through `trunk_gradient` the policy as well. Its output is 0 at first. `learning_rate`: of the head
    alone (ours; in the recipe it is the policy's, 1e-6 on 7B).

    Differs from the recipe: no dropout (there 0.1), which would make the result depend on the micro-batches; the
    mean takes in the last prompt token.
    """

    reads = "prompt"
    gives = ("log_partition",)
    pretrain_steps = 0

    def __init__(self, *, learning_rate: float = 1e-3, layers: int = 3, trunk_gradient: bool = True) -> None:
        if learning_rate <= 0.0 or layers < 1:
            raise UserError(f"critic: learning_rate is {learning_rate}, layers {layers}; they must be > 0 and >= 1")
        self.learning_rate = learning_rate
        self.layers = layers
        self.trunk_gradient = trunk_gradient

    def build(self, width: int) -> nn.Module:
        """The network for states of `width`, the same at every call whatever the global random state."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            inner = [
                part
                for _ in range(self.layers - 1)
                for part in (nn.Linear(width, width), nn.GELU(), nn.LayerNorm(width))
            ]
            last = nn.Linear(width, 1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        return nn.Sequential(*inner, last)

    def reader(self, head: nn.Module, *, learns_policy: bool = True) -> Callable[[Tensor], Tensor]:
        """(N, D) mean states -> (N,) log Z, with the gradient that the trunk is to have."""
        through = self.trunk_gradient and learns_policy

        def read(states: Tensor) -> Tensor:
            states = states if through else states.detach()
            return head(states.to(next(head.parameters()).dtype)).squeeze(-1)

        return read
