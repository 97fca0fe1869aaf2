"""Mean over all tokens of the step."""

from __future__ import annotations

from torch import Tensor

from crucible.algorithms.aggregation.masked import row_sums
from crucible.types import Totals


def token_mean(per_token: Tensor, mask: Tensor, totals: Totals) -> Tensor:
    """sum over tokens / number of tokens.

    DAPO, 2503.14476, section 3.3; verl's default, TRL's loss_type "dapo". Every token weighs the same, so
    a long completion weighs more than a short one. A step without tokens: 0.
    """
    return row_sums(per_token, mask).sum() / max(totals.tokens, 1.0)
