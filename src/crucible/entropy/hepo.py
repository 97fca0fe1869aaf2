"""HEPO: advantages on the tokens of highest entropy only."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import torch
from torch import Tensor

from crucible.entropy.base import EntropyControl
from crucible.errors import UserError
from crucible.types import Advantages


class HighEntropyAdvantage(EntropyControl):
    """A kept on the int(share * tokens) tokens of highest entropy of the rollout batch, 0 elsewhere.

    The HEPO mask of the TEMPO repository (2509.18314), share 0.2. Entropies are those under the policy that starts
    the updates, so the mask is fixed for all updates of a rollout step; entropy=top_entropy ranks anew in each.
    At least one token is kept. Equal entropies at the border: the token that comes first, by row, then position.

    Differs from the code: padding is not ranked; there it is, which keeps more real tokens than the share says. A
    batch of fewer than 1/share tokens keeps one, there none.
    """

    shapes = True

    def __init__(self, *, share: Annotated[float, "> 0, <= 1"] = 0.2) -> None:
        if not 0.0 < share <= 1.0:
            raise UserError(f"entropy hepo: share is {share}; it is a share of the tokens: 0 < share <= 1")
        self.share = share

    def shape(self, advantages: Advantages, entropy: Tensor, mask: Tensor) -> Advantages:
        real = (mask > 0).flatten()
        number = max(int(self.share * int(real.sum())), 1)
        height = torch.where(real, entropy.flatten(), torch.full_like(entropy.flatten(), -torch.inf))
        kept = torch.zeros_like(real)
        kept[height.argsort(descending=True, stable=True)[:number]] = True
        return replace(advantages, values=torch.where(kept.view_as(mask), advantages.values, 0.0))
