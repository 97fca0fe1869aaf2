from __future__ import annotations

import math
from collections import Counter

import pytest

from crucible.errors import UserError
from crucible.rewards.bleu import bleu, rouge_l
from tests.rewards.cases import completions, prompt, scored


def value(text, references, **options):
    scores = scored(bleu(**options), [prompt(references=references)], completions(text))
    return None if scores.valid is not None else scores.total.item()


def oracle(text, references):
    """BLEU-4 with one added to every count, on words between spaces."""
    said, refs = text.split(), [r.split() for r in references]
    logs = 0.0
    for n in range(1, 5):
        grams = Counter(tuple(said[i : i + n]) for i in range(len(said) - n + 1))
        most = Counter()
        for ref in refs:
            most |= Counter(tuple(ref[i : i + n]) for i in range(len(ref) - n + 1))
        logs += math.log(((grams & most).total() + 1) / (grams.total() + 1)) / 4
    return math.exp(logs + min(0.0, 1 - min(map(len, refs)) / len(said)))


def test_worked_number():
    """All four smoothed precisions are 1; only the brevity penalty is left: exp(1 - 4/3)."""
    assert value("the cat sat", ["the cat sat down"]) == pytest.approx(0.716531, abs=1e-6)


@pytest.mark.parametrize(
    ("text", "references"),
    [
        ("the cat sat on the mat", ["the cat is on the mat"]),
        ("the the the the", ["the cat", "a dog on the the mat"]),
        ("x", ["the cat sat down here"]),
        ("a b c d e f g h", ["a b c d", "e f g h i j k l m n o"]),  # the shortest reference, not the nearest
    ],
)
def test_against_the_formula(text, references):
    assert value(text, references) == pytest.approx(oracle(text, references), rel=1e-6)


def test_punctuation_is_a_token():
    assert value("the cat, sat", ["the cat , sat"]) == pytest.approx(1.0)


def test_only_the_last_answer_is_compared():
    assert value("x y z <answer>a cat</answer>", "a cat") == pytest.approx(1.0)


def test_mixed_with_rouge():
    b, r = oracle("a b x c", ["a b c d"]), 0.75  # the longest common subsequence is a b c: 3 of 4 and 3 of 4
    assert value("a b x c", "a b c d", mix="rouge_l") == pytest.approx(2 * b * r / (b + r), rel=1e-6)
    assert value("x", "a", mix="rouge_l") == 0.0


def test_rouge_by_brute_force():
    from itertools import combinations

    def longest(a, b):
        found = [c for n in range(len(a) + 1) for c in combinations(a, n)]
        return max(len(c) for c in found if any(c == d for d in combinations(b, len(c))))

    for a, b in [("abcbdab", "bdcaba"), ("aaa", "aa"), ("abc", "xyz")]:
        n = longest(a, b)
        assert rouge_l(a, b) == pytest.approx(2 * n / (len(a) + len(b)))


def test_empty_texts():
    assert value("", ["a"]) == 0.0
    assert value("a", ["", " "]) is None


def test_an_unknown_mix_is_refused():
    with pytest.raises(UserError, match=r"reward\.mix"):
        bleu(mix="rouge")
