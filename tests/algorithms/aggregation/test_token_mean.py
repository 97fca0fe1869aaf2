"""Mean over all tokens."""

from __future__ import annotations

from aggregation_cases import check

from crucible.algorithms.aggregation.token_mean import token_mean


def oracle(rows):
    """`rows`: the losses of the counted tokens of each row."""
    everything = sum(sum(row) for row in rows)
    return everything / sum(len(row) for row in rows)


def test_formula_worked_numbers_and_one_token():
    check(token_mean, oracle, worked=-0.08)
