"""Mean over completions of their token means."""

from __future__ import annotations

from aggregation_cases import check

from crucible.algorithms.aggregation.seq_mean_token_mean import seq_mean_token_mean


def oracle(rows):
    """`rows`: the losses of the counted tokens of each row."""
    return sum(sum(row) / len(row) for row in rows if row) / len(rows)


def test_formula_worked_numbers_and_one_token():
    check(seq_mean_token_mean, oracle, worked=0.125)
