"""Mean over completions of their token sums."""

from __future__ import annotations

from aggregation_cases import check

from crucible.algorithms.aggregation.seq_mean_token_sum import seq_mean_token_sum


def oracle(rows):
    """`rows`: the losses of the counted tokens of each row."""
    everything = sum(sum(row) for row in rows)
    return everything / len(rows)


def test_formula_worked_numbers_and_one_token():
    check(seq_mean_token_sum, oracle, worked=-0.2)
