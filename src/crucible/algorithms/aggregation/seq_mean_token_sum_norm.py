"""Dr. GRPO's aggregation: token sums over a constant length."""

from __future__ import annotations

from torch import Tensor

from crucible.algorithms.aggregation.masked import row_sums
from crucible.types import Totals


def seq_mean_token_sum_norm(per_token: Tensor, mask: Tensor, totals: Totals) -> Tensor:
    """sum over tokens / (number of rows x the generation limit in tokens).

    Dr. GRPO, 2503.20783: dividing by a constant instead of the row's length removes the length bias. The
    constant is the configured limit, never the padded width, which varies between batches.
    """
    return row_sums(per_token, mask).sum() / max(totals.rows * totals.max_completion_tokens, 1.0)
