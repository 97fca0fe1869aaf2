"""Mean over completions of the mean over their tokens."""

from __future__ import annotations

from torch import Tensor

from crucible.algorithms.aggregation.masked import row_sums
from crucible.types import Totals


def seq_mean_token_mean(per_token: Tensor, mask: Tensor, totals: Totals) -> Tensor:
    """mean over rows of (sum over the row's tokens / its length).

    The 1/|o_i| form of GRPO, 2402.03300, Eq. 3, and of GSPO. Every completion weighs the same, so a token
    of a long wrong answer is penalised less. A row without tokens adds 0 and is counted in the number of
    rows.
    """
    return (row_sums(per_token, mask) / mask.sum(-1).clamp(min=1.0)).sum() / max(totals.rows, 1.0)
