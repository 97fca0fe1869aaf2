"""maj@k out of votes equals voting in every order of every draw."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible.analysis.statistics import count_votes, maj_at_k, maj_at_k_by_problem
from crucible.errors import UserError


def vote(answers, right):
    """One vote as implementations take it: the answer seen first wins a tie, its first sample says if it is right."""
    readable = [answer for answer in answers if answer is not None]
    if not readable:
        return False
    return right[answers.index(max(dict.fromkeys(readable), key=readable.count))]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c", None]), st.booleans()), min_size=1, max_size=6), st.data())
def test_every_order_of_every_draw(samples, data):
    """Samples of one answer may differ in whether they are right (a verifier that also looks at the working)."""
    answers, right = [a for a, _ in samples], [r for _, r in samples]
    k = data.draw(st.integers(1, len(samples)))
    draws = list(itertools.permutations(range(len(samples)), k))
    expected = sum(vote([answers[i] for i in d], [right[i] for i in d]) for d in draws) / len(draws)
    assert maj_at_k(count_votes(answers, right), len(samples), k) == pytest.approx(expected)


def test_worked_numbers():
    votes = count_votes(["12", "7", "12", "7", "9"], [True, False, True, False, False])
    assert votes == [[2, 2], [2, 0], [1, 0]]
    assert maj_at_k(votes, 5, 5) == 0.5  # 2 : 2
    assert maj_at_k(votes, 5, 1) == pytest.approx(2 / 5)  # one vote decides: avg@n
    # two of five: both right 1/10; one right beside a wrong one 6/10, half of which it wins
    assert maj_at_k(votes, 5, 2) == pytest.approx(0.1 + 0.6 / 2)
    assert maj_at_k([[9, 9], [7, 0]], 16, 16) == 1.0
    assert maj_at_k(count_votes([None, "7", "7"], [True, False, False]), 3, 3) == 0.0
    assert maj_at_k([], 2, 2) == 0.0
    assert maj_at_k_by_problem([[[3, 3]], [[2, 0], [1, 1]]], 3, 3).tolist() == [1.0, 0.0]


def test_many_samples_are_exact_and_grow_with_k():
    """C(64, 32) is beyond the exact integers of a float; the majority is right, so more votes help."""
    values = [maj_at_k([[30, 30], [20, 0], [10, 0]], 64, k) for k in (1, 2, 8, 32, 63, 64)]
    assert values[0] == pytest.approx(30 / 64)
    assert values == sorted(values)
    assert values[-1] == 1.0


@pytest.mark.parametrize(
    ("votes", "k", "message"),
    [
        ([[2, 2]], 3, r"maj@3 from 2 samples a problem is undefined: k must be between 1 and 2"),
        ([[2, 2]], 0, r"maj@0 from 2"),
        ([[2, 2], [1, 0]], 1, r"are no votes of 2 samples"),
        ([[1, 2]], 1, r"are no votes of 2 samples"),
    ],
)
def test_what_is_no_vote_is_refused(votes, k, message):
    with pytest.raises(UserError, match=message):
        maj_at_k(votes, 2, k)
