"""The split depends on the item alone, and its share is what it says."""

from __future__ import annotations

import random

import pytest

from crucible.data.chain import Chain
from crucible.data.countdown import Countdown
from crucible.data.expression import Expression
from crucible.data.split import content_id, held_out, split_of, training
from crucible.errors import UserError
from crucible.types import Prompt


def test_share_of_evaluation_keys():
    keys = [f"key {i}" for i in range(20_000)]
    for share in (0.05, 0.1, 0.5):
        found = sum(split_of(key, share) == "eval" for key in keys) / len(keys)
        assert abs(found - share) < 5 * (share * (1 - share) / len(keys)) ** 0.5


def test_a_larger_share_only_adds_evaluation_keys():
    keys = [f"key {i}" for i in range(2000)]
    small = {key for key in keys if split_of(key, 0.1) == "eval"}
    large = {key for key in keys if split_of(key, 0.3) == "eval"}
    assert small < large


def test_ids_depend_on_family_and_content():
    assert content_id("a", "bc") == content_id("a", "bc")
    assert len({content_id("a", "bc"), content_id("ab", "c"), content_id("a", "bd")}) == 3


def test_the_hashes_are_the_same_for_ever():
    """Evaluation sets of old runs stay comparable: these values may not change."""
    assert content_id("chain", "7+8-6+2") == "72978aaf4f7c5843"
    assert [i for i in range(40) if split_of(f"key {i}", 0.2) == "eval"] == [26, 31, 33, 35, 39]


def test_one_puzzle_in_another_order_is_on_the_same_side():
    chain, countdown, expression = Chain(), Countdown(), Expression()
    keys = {chain._item([("+", 7), *order])[0] for order in ([("-", 6), ("+", 2)], [("+", 2), ("-", 6)])}
    assert len(keys) == 1
    a = countdown._item([19, 36, 3, 54], ["36-19=17", "17*3=51", "54-51=3"])
    b = countdown._item([54, 3, 36, 19], ["36-19=17", "17*3=51", "54-51=3"])
    c = countdown._item([54, 3, 36, 19], ["36-19=17", "17*3=51", "54+51=105"])
    assert a[0] == b[0] != c[0]
    assert a[1].id == b[1].id != c[1].id
    assert chain.prompt("7+8-6").id != chain.prompt("7-6+8").id
    assert expression.prompt("2*(3+4)").id != expression.prompt("(4+3)*2").id


def test_no_reordered_evaluation_sum_is_trained_on():
    chain = Chain()

    def key(text: str) -> tuple[str, ...]:
        return tuple(sorted(("+" + text.rstrip("=")).replace("+", " +").replace("-", " -").split()))

    held = {key(p.text) for p in chain.eval_prompts()}
    stream = chain.train_prompts(random.Random(2))
    assert not any(key(next(stream).text) in held for _ in range(10_000))


def test_a_space_without_training_items_is_refused():
    def draw(rng: random.Random) -> tuple[str, Prompt]:
        return "always the same", Prompt(id="x")

    assert len(held_out(draw, 1, eval_share=0.999999, task="t")) == 1
    with pytest.raises(UserError, match="every item"):
        next(training(draw, random.Random(0), eval_share=0.999999, task="t"))
    with pytest.raises(UserError, match="only 1 evaluation items"):
        held_out(draw, 2, eval_share=0.999999, task="t")
