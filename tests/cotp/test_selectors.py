"""The choices of data/select on the generated pool: who finds what was planted, who selects how many."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from crucible.cotp.chains import CoT
from crucible.cotp.selection import Pool
from crucible.cotp.selectors import limr
from crucible.cotp.selectors.cotp import CoTP
from crucible.cotp.selectors.limr import LIMR, alignment, read_curves
from crucible.cotp.selectors.simple import ByEntropy, ByLength, Everything, Planted, RandomChoice
from crucible.cotp.selectors.text import TextSimilarity, tf_idf
from crucible.data.cot import ChainsOfThought
from crucible.errors import UserError
from tests.policy.models import qwen3

SMALL = {"pool_items": 600, "core_questions": 10, "per_core": 15}


def task(tmp_path, select, **options) -> ChainsOfThought:
    return ChainsOfThought(seed=1, cache_dir=tmp_path, report=lambda line: None, select=select, **(SMALL | options))


def reader(*, task, cache_dir, report):
    """A reference model for tests: random weights."""
    return qwen3(context_length=128)


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
    """What each way of selecting finds on one pool."""
    place = tmp_path_factory.mktemp("cache")
    ways = {
        "patterns": CoTP(lambda_=1.0), "both": CoTP(reference=reader), "greedy": CoTP(lambda_=1.0, assignment="greedy"),
        "knn": CoTP(lambda_=1.0, assignment="knn"), "unweighted": CoTP(lambda_=1.0, importance="none"),
        "text": TextSimilarity(), "random": RandomChoice(seed=3), "all": Everything(), "planted": Planted(),
        "longest": ByLength(), "shortest": ByLength(take="shortest"), "uncertain": ByEntropy(reference=reader),
    }  # fmt: skip
    found = {}
    for name, way in ways.items():
        made = task(place, way)
        made.demonstrations()
        found[name] = made.facts | {"kinds": Counter(made.pool.items[i].kind for i in made.chosen)}
    return found


def test_patterns_find_more_of_what_was_planted_than_chance_or_text(facts):
    assert facts["random"]["recall"] < 0.4
    assert facts["patterns"]["recall"] > facts["text"]["recall"] + 0.1
    assert facts["text"]["recall"] > facts["random"]["recall"]
    assert facts["both"]["recall"] > facts["random"]["recall"] + 0.2
    assert facts["planted"]["recall"] == facts["planted"]["precision"] == 1.0
    assert facts["patterns"]["distance_to_core"] < facts["random"]["distance_to_core"]


def test_how_many_each_selects(facts):
    sizes = {name: found["selected"] for name, found in facts.items()}
    assert sizes.pop("all") == 600
    assert sizes.pop("knn") < 150  # core chains share
    assert set(sizes.values()) == {150}
    assert facts["patterns"]["distinct"] == 1.0
    assert facts["knn"]["distinct"] < 1.0
    assert facts["patterns"]["cost"] <= facts["greedy"]["cost"] + 1e-9
    assert facts["unweighted"]["cost"] != facts["patterns"]["cost"]


def test_length_takes_the_longest(facts):
    assert facts["shortest"]["kinds"]["guess"] > 100
    assert not {"guess", "leap"} & facts["longest"]["kinds"].keys()


def test_selecting_again_gives_the_same_and_another_seed_another_pool(tmp_path):
    one, again = (task(tmp_path, CoTP(lambda_=1.0)) for _ in range(2))
    assert one.demonstrations() == again.demonstrations()
    other = ChainsOfThought(seed=2, cache_dir=tmp_path, report=print, select=CoTP(lambda_=1.0), **SMALL)
    assert other.pool.items[0] != one.pool.items[0]
    fixed = ChainsOfThought(seed=2, pool_seed=1, cache_dir=tmp_path, report=print, select=CoTP(lambda_=1.0), **SMALL)
    assert fixed.demonstrations() == one.demonstrations()


def test_entropies_are_read_once_and_kept(tmp_path):
    said: list[str] = []
    options = {"pool_items": 60, "core_questions": 3, "per_core": 2}
    for _ in range(2):
        made = ChainsOfThought(seed=1, cache_dir=tmp_path, report=said.append, select=CoTP(reference=reader), **options)
        made.demonstrations()
    assert sum("read by the reference model" in line for line in said) == 2  # of the core and of the pool, once each
    assert not list((tmp_path / "cotp" / "entropies").glob("*.partial"))


def test_a_pool_that_is_too_small_says_both_numbers_before_anything_is_read(tmp_path):
    def fails(**_):
        raise AssertionError("a model was made")

    for way in (CoTP(reference=fails), RandomChoice(seed=1), TextSimilarity(), ByLength()):
        with pytest.raises(
            UserError, match=r"the pool has 100 chains, fewer than the 10 x 15 = 150 that 10 core chains"
        ):
            task(tmp_path, way, pool_items=100).demonstrations()


def test_options_are_checked(tmp_path):
    with pytest.raises(
        UserError, match=r"data.select.lambda_=0.8 needs entropies: choose data.select.reference, or lambda_=1"
    ):
        CoTP()
    with pytest.raises(UserError, match=r"choose data.select.reference"):
        ByEntropy()
    with pytest.raises(UserError, match="take=middle: longest or shortest"):
        ByLength(take="middle")
    with pytest.raises(UserError, match=r"ngrams=\[\]"):
        TextSimilarity(ngrams=[])


def test_text_vectors_are_tf_idf_by_hand():
    texts = ["aab", "ab", "cd"]
    found = tf_idf(texts, (1, 2)).toarray()

    def vector(text):
        grams = Counter(text[i : i + n] for n in (1, 2) for i in range(len(text) - n + 1))
        return {g: c * math.log(3 / sum(g in other for other in texts)) for g, c in grams.items()}

    expected = [vector(text) for text in texts]
    for i, a in enumerate(expected):
        for j, b in enumerate(expected):
            dot = sum(a[g] * b.get(g, 0.0) for g in a)
            size = math.sqrt(sum(x * x for x in a.values()) * sum(x * x for x in b.values()))
            assert (found @ found.T)[i, j] == pytest.approx(dot / size)


# LIMR


def test_alignment_is_the_worked_example():
    """Curves of the paper's formula worked by hand: mean (0.5, 2/3, 5/6), room 1/4 + 1/9 + 1/36 = 7/18."""
    found = alignment({"a": [0, 0.5, 1], "b": [1, 1, 1], "c": [0.5, 0.5, 0.5]})
    assert found == pytest.approx({"a": 0.214286, "b": 0.0, "c": 0.642857}, abs=1e-6)


def test_gaps_take_the_next_epochs_value_and_open_ends_are_left_out():
    assert limr._filled([None, 0.5, None, 1.0]) == [0.5, 0.5, 1.0, 1.0]
    assert alignment({"a": [None, 1.0], "b": [0.0, 1.0], "c": [0.5, None]}).keys() == {"a", "b"}
    assert alignment({"a": [1.0], "b": [1.0]}) == {"a": 0.0, "b": 0.0}
    with pytest.raises(UserError, match=r"one number of epochs, these have \[1, 2\]"):
        alignment({"a": [1.0], "b": [1.0, 0.0]})


def limr_pool() -> Pool:
    items = [CoT(f"c{i}", f"q{i % 3}", "p", "x") for i in range(9)]
    return Pool(items, items[:2], items[:2], 2, {}, lambda chains: [], None, None, print)


def test_limr_takes_chains_of_the_best_aligned_questions(tmp_path):
    file = tmp_path / "curves.jsonl"
    file.write_text(
        '{"question": "q0", "accuracies": [0, 0.5, 1]}\n{"question": "q1", "accuracies": [1, 1, 1]}\n'
        '{"question": "q2", "accuracies": [0.5, 0.5, 0.5]}\n'
    )
    assert LIMR(curves=str(file))(limr_pool()).items == [2, 5, 8, 0]
    assert LIMR(curves=str(file), threshold=0.6)(limr_pool()).items == [2, 5, 8]
    with pytest.raises(UserError, match=r"9 of 9 chains of the pool have a curve, none has a score of 0.9 or more"):
        LIMR(curves=str(file), threshold=0.9)(limr_pool())


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{}", r"curves.jsonl:1 is no"),
        ('{"question": "q", "accuracies": [2]}', "curves.jsonl:1: accuracies must be from 0 to 1"),
        ('{"question": "q", "accuracies": [1]}\n' * 2, "curves.jsonl:2: question q has two curves"),
        ("", "has no learning curves"),
    ],
)
def test_bad_curves_are_named(tmp_path, line, message):
    (tmp_path / "curves.jsonl").write_text(line)
    with pytest.raises(UserError, match=message):
        read_curves(tmp_path / "curves.jsonl")
    with pytest.raises(UserError, match="cannot read"):
        read_curves(tmp_path / "none.jsonl")


def test_numbers_of_facts_are_numbers(facts):
    for found in facts.values():
        assert all(isinstance(v, float) and np.isfinite(v) for k, v in found.items() if k != "kinds")
