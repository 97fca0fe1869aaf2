"""Bradley-Terry pairs of triples, worked out by hand."""

from __future__ import annotations

import random

from crucible.feedback.matched import Pair, matched_pairs
from crucible.feedback.records import Triple
from crucible.types import Prompt

X, Y = Prompt(id="x", text="x?"), Prompt(id="y", text="y?")


def triple(response: str, principle: str, fulfilled: bool, prompt: Prompt = X) -> Triple:
    return Triple(prompt, response, principle, fulfilled)


def test_one_fulfils_the_principle_and_the_other_does_not():
    pairs = matched_pairs([triple("bad", "brevity", False), triple("good", "Brevity ", True)], seed=0)
    assert pairs == [Pair(X, "good", "bad", 1.0)]


def test_nothing_to_compare_gives_no_pair():
    assert matched_pairs([], seed=0) == []
    assert matched_pairs([triple("a", "brevity", True), triple("b", "brevity", True)], seed=0) == []
    assert matched_pairs([triple("a", "brevity", True), triple("b", "brevity", False, Y)], seed=0) == []


def test_responses_without_a_principle_in_common_are_compared_by_share():
    triples = [triple("a", "p", True), triple("a", "q", False), triple("b", "r", True)]
    assert matched_pairs(triples, seed=0) == [Pair(X, "b", "a", 0.5)]


def test_principles_that_point_apart_give_a_pair_each():
    triples = [triple("a", "p", True), triple("b", "p", False), triple("a", "q", False), triple("b", "q", True)]
    assert sorted((p.chosen, p.rejected) for p in matched_pairs(triples, seed=0)) == [("a", "b"), ("b", "a")]


def test_a_response_that_is_said_both_of_counts_for_neither():
    triples = [triple("a", "p", True), triple("a", "p", False), triple("b", "p", False)]
    assert matched_pairs(triples, seed=0) == []


def test_two_wordings_are_one_principle_where_they_are_said_to_be():
    triples = [triple("a", "brevity", True), triple("b", "whether it is brief", False), triple("a", "tone", False)]
    assert matched_pairs(triples, seed=0) == [Pair(X, "a", "b", 0.5)]  # two principles: the shares decide
    assert matched_pairs(triples, seed=0, same=lambda a, b: "br" in a and "br" in b) == [Pair(X, "a", "b", 1.0)]


def test_each_triple_is_in_one_pair_by_principle_at_most_and_pairs_point_the_right_way():
    rng = random.Random(0)
    triples = [triple(f"r{i}", f"p{rng.randrange(3)}", rng.random() < 0.6) for i in range(60)]
    said = {(t.response, t.principle): t.fulfilled for t in triples}
    principle = {t.response: t.principle for t in triples}
    pairs = matched_pairs(triples, seed=0)
    met = [text for pair in pairs for text in (pair.chosen, pair.rejected)]
    assert len(met) == len(set(met)) > 40
    for pair in pairs:
        assert said[pair.chosen, principle[pair.chosen]]
        assert not said[pair.rejected, principle[pair.rejected]]
        assert pair.margin == 1.0


def test_the_seed_draws_and_the_order_of_rows_does_not_matter():
    rng = random.Random(1)
    triples = [triple(f"r{i}", "p", bool(i % 2), rng.choice((X, Y))) for i in range(40)]
    shuffled = rng.sample(triples, len(triples))

    def drawn(rows: list[Triple], seed: int = 0) -> set[tuple[str, str, str]]:
        return {(p.prompt.id, p.chosen, p.rejected) for p in matched_pairs(rows, seed=seed)}

    assert drawn(triples) == drawn(shuffled) != drawn(triples, seed=1)
    assert {pair for pair in drawn(triples) if pair[0] == "x"} == drawn([t for t in triples if t.prompt is X])
