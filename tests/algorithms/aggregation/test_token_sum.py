"""Sum over all tokens."""

from __future__ import annotations

from aggregation_cases import check

from crucible.algorithms.aggregation.token_sum import token_sum


def oracle(rows):
    """`rows`: the losses of the counted tokens of each row."""
    return sum(sum(row) for row in rows)


def test_formula_worked_numbers_and_one_token():
    check(token_sum, oracle, worked=-0.4)
