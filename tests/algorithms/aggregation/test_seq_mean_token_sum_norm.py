"""Token sums over a constant length."""

from __future__ import annotations

from aggregation_cases import LIMIT, check

from crucible.algorithms.aggregation.seq_mean_token_sum_norm import seq_mean_token_sum_norm


def oracle(rows):
    """`rows`: the losses of the counted tokens of each row."""
    everything = sum(sum(row) for row in rows)
    return everything / len(rows) / LIMIT


def test_formula_worked_numbers_and_one_token():
    check(seq_mean_token_sum_norm, oracle, worked=-0.066667)
