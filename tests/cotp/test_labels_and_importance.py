from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from crucible.cotp.importance import Importance
from crucible.cotp.labels import LabelDistance
from crucible.errors import UserError

LABELS = ["check result", "Check Result", "check sum", "go back", "x", "检查结果", "检查", ""]


def oracle(a: str, b: str, orders, over: str, overlap: str) -> float:
    """Straight from the definition, with sets."""
    a, b = a.lower(), b.lower()
    if a == b:
        return 0.0

    def of(group) -> float:
        x, y = ({s[i : i + n] for n in group for i in range(len(s) - n + 1)} for s in (a, b))
        if not x and not y:
            return 1.0
        return 1 - (len(x & y) / len(x | y) if overlap == "jaccard" else 2 * len(x & y) / (len(x) + len(y)))

    return of(orders) if over == "union" else sum(of((n,)) for n in orders) / len(orders)


@pytest.mark.parametrize("overlap", ["jaccard", "dice"])
@pytest.mark.parametrize("over", ["union", "mean"])
@pytest.mark.parametrize("orders", [(1,), (2,), (1, 2), (3,)])
def test_label_distances_are_those_of_the_definition(orders, over, overlap):
    distance = LabelDistance(orders=orders, over=over, overlap=overlap)
    found = distance.matrix(LABELS, LABELS[::-1])
    expected = [[oracle(a, b, orders, over, overlap) for b in LABELS[::-1]] for a in LABELS]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert ((found >= 0) & (found <= 1)).all()
    assert distance("check result", "check sum") == pytest.approx(
        oracle("check result", "check sum", orders, over, overlap)
    )


def oracle_tf_idf(questions, chains, smooth: bool):
    found = {}
    for q in set(questions):
        patterns = [p for x, chain in zip(questions, chains, strict=True) if x == q for p in chain]
        for p, times in Counter(patterns).items():
            df = len({x for x, chain in zip(questions, chains, strict=True) if p in chain})
            total = len(set(questions))
            idf = math.log((1 + total) / (1 + df)) + 1 if smooth else math.log(total / df)
            found[q, p] = times / len(patterns) * idf
    return found


@pytest.mark.parametrize("idf", ["plain", "smooth"])
def test_importance_is_tf_idf_with_questions_as_documents(idf):
    questions = ["a", "a", "b", "c"]
    chains = [["add", "check"], ["add", "add", "state"], ["add", "split"], ["add", "state"]]
    found = Importance(idf=idf).of(questions, chains)
    expected = oracle_tf_idf(questions, chains, idf == "smooth")
    assert {(q, p): pytest.approx(w) for q, patterns in found.items() for p, w in patterns.items()} == expected
    if idf == "plain":
        assert all(patterns["add"] == 0.0 for patterns in found.values())  # in every question: no importance
        assert found["a"]["check"] == pytest.approx(1 / 5 * math.log(3))


def test_floor_and_ablation():
    chains = [["add", "check"], ["add"]]
    assert Importance(floor=0.1).of(["a", "b"], chains)["b"]["add"] == 0.1
    assert Importance(by="none").of(["a", "b"], chains) == {"a": {"add": 1.0, "check": 1.0}, "b": {"add": 1.0}}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LabelDistance(orders=()), r"ngrams=\[\]: whole numbers of at least 1"),
        (lambda: LabelDistance(orders=(0,)), r"ngrams=\[0\]"),
        (lambda: LabelDistance(over="sum"), "ngram_over=sum: union or mean"),
        (lambda: LabelDistance(overlap="cosine"), "ngram_overlap=cosine: jaccard or dice"),
        (lambda: Importance(by="bm25"), "importance=bm25: tf_idf or none"),
        (lambda: Importance(idf="log"), "idf=log: plain or smooth"),
        (lambda: Importance(floor=-1), "floor=-1: must be 0 or above"),
    ],
)
def test_bad_options_are_named(make, message):
    with pytest.raises(UserError, match=message):
        make()
