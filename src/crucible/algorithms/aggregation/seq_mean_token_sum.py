"""Mean over completions of the sum over their tokens."""

from __future__ import annotations

from torch import Tensor

from crucible.algorithms.aggregation.masked import row_sums
from crucible.types import Totals


def seq_mean_token_sum(per_token: Tensor, mask: Tensor, totals: Totals) -> Tensor:
    """sum over tokens / number of rows.

    The policy gradient of a whole completion, unnormalised: its size grows with the length. verl's
    seq-mean-token-sum, which leaves rows without tokens out of the count. On gspo it is LUSPO, 2602.05261: each row
    loss times its length.
    """
    return row_sums(per_token, mask).sum() / max(totals.rows, 1.0)
