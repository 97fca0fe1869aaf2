"""DARLING's reward."""

from __future__ import annotations

from functools import partial

import pytest
from advantage_cases import groups_of, tokens
from shaping_cases import agree, check, totals

from crucible.algorithms.advantages.group_center import group_center
from crucible.algorithms.shaping.darling import darling
from crucible.errors import UserError


def oracle(rows, key=lambda text: text):
    found = [0.0] * len(rows)
    for members in groups_of(rows):
        for i in members:
            others = sum(key(rows[j].text) != key(rows[i].text) for j in members)
            found[i] = rows[i].reward * max(others / max(len(members) - 1, 1), 0.1)
    return found


def test_against_loops():
    agree(darling, oracle)
    agree(partial(darling, by="answer"), partial(oracle, key=lambda text: text[-1]))


def test_worked_numbers():
    texts = ["one way", "One  way ", "another", "a third"]
    check(darling, [1, 1, 1, 0], [0.666667, 0.666667, 1, 0], texts=texts)
    found = tokens(group_center, totals(darling, [1, 1, 1, 0], texts=texts))[:, 0].tolist()
    assert found == pytest.approx([0.083333, 0.083333, 0.416667, -0.583333], abs=1e-6)


def test_all_alike_keep_a_tenth():
    check(darling, [1, 1, 0], [0.1, 0.1, 0], texts=["same"] * 3)


def test_by_answer_the_way_there_does_not_matter():
    texts = ["2 + 3 = 5", "3 + 2 = 5.0", "the answer is 1/2", "answer: 0.5", "no number at all"]
    check(partial(darling, by="answer"), [1] * 5, [0.75, 0.75, 0.75, 0.75, 1.0], texts=texts)


def test_an_unknown_measure_is_refused_with_the_nearest_name():
    with pytest.raises(UserError, match='did you mean "answer"'):
        totals(partial(darling, by="answr"), [1], texts=[""])
