"""Plain sum over all tokens of the step."""

from __future__ import annotations

from torch import Tensor

from crucible.algorithms.aggregation.masked import row_sums
from crucible.types import Totals


def token_sum(per_token: Tensor, mask: Tensor, totals: Totals) -> Tensor:
    """sum over tokens, as verl's token-sum. The gradient grows with the batch: scale the learning rate accordingly."""
    return row_sums(per_token, mask).sum()
