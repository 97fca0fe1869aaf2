"""The 80/20 rule: only the tokens of highest entropy learn."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from crucible.entropy.base import EntropyControl
from crucible.entropy.tokens import quantile
from crucible.errors import UserError


class TopEntropy(EntropyControl):
    """Weight 1 where H >= tau, else 0; tau is the (1 - share)-quantile of H over the tokens of the optimiser step.

    Beyond the 80/20 rule, 2506.01939 (share 0.2, with DAPO's settings); TRL's top_entropy_quantile. The quantile
    is interpolated linearly between neighbours. H is the detached entropy under the policy of the moment, padding
    left out. The denominator of the loss still counts all tokens, as in TRL; the paper's was not checked. All
    entropies equal, or one token: everything is kept. share 1 keeps everything.

    Differs from TRL: one quantile per optimiser step; there per micro-batch, over all ranks.
    """

    def __init__(self, *, share: Annotated[float, "> 0, <= 1"] = 0.2) -> None:
        if not 0.0 < share <= 1.0:
            raise UserError(f"entropy top_entropy: share is {share}; it is a share of the tokens: 0 < share <= 1")
        self.share = share

    def weigh(self, entropy: Tensor, mask: Tensor) -> Tensor:
        weights = torch.zeros_like(entropy)
        if bool((mask > 0).any()):
            weights[(entropy >= quantile(entropy[mask > 0], 1.0 - self.share)) & (mask > 0)] = 1.0
        return weights
