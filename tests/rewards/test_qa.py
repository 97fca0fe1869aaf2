from __future__ import annotations

import pytest

from crucible.errors import UserError
from crucible.rewards.qa import qa, words
from tests.rewards.cases import completions, prompt, scored


def value(text, gold, **options):
    scores = scored(qa(**options), [prompt(answer=gold)], completions(text))
    return None if scores.valid is not None else scores.total.item()


def oracle_f1(said, gold):
    """Token F1 by hand: each word of the answer may use up one of the reference's."""
    left, common = list(gold), 0
    for word in said:
        if word in left:
            left.remove(word)
            common += 1
    if not common:
        return 0.0
    precision, recall = common / len(said), common / len(gold)
    return 2 * precision * recall / (precision + recall)


@pytest.mark.parametrize(
    ("metric", "text", "gold", "expected"),
    [
        ("em", "The Eiffel Tower!", "eiffel tower", 1.0),
        ("em", "Eiffel Tower, Paris", "Eiffel Tower", 0.0),
        ("em", "Paris", ["London", "paris."], 1.0),
        ("sub_em", "It is the Eiffel Tower in Paris", "Eiffel Tower", 1.0),
        ("sub_em", "a party", "art", 0.0),  # words, not letters
        ("f1", "tower in Paris", "the Eiffel tower", 0.4),
        ("f1", "Rome", ["London", "Rome Italy"], 2 / 3),
        ("f1", "", "x", 0.0),
    ],
)
def test_metrics(metric, text, gold, expected):
    assert value(text, gold, metric=metric, read="whole") == pytest.approx(expected)


@pytest.mark.parametrize("said", ["a b b c", "b b b", "x y", "c a c a"])
def test_f1_by_hand(said):
    gold = ["b", "b", "c", "d"]
    assert value(said, "b b c d", metric="f1", read="whole") == pytest.approx(oracle_f1(words(said), gold))


def test_the_last_answer_tag_counts_and_without_one_there_is_nothing():
    assert value("<answer>Rome</answer><answer>Paris</answer>", "Paris") == 1.0
    assert value("<answer>Paris</answer><answer>Rome</answer>", "Paris") == 0.0
    assert value("<answer>Paris</answer><answer>Rome</answer>", "Paris", format_score=0.1) == pytest.approx(0.1)
    assert value("Paris", "Paris", format_score=0.1) == 0.0


@pytest.mark.parametrize(("tags", "expected"), [(10, 1.0), (11, 0.25)])
def test_many_tags_cost_three_quarters(tags, expected):
    assert value("<answer>" * (tags - 1) + "</answer><answer>Paris</answer>", "Paris") == expected


@pytest.mark.parametrize("gold", ["", "the", [], ["!", "a"]])
def test_a_reference_without_words_is_no_verdict(gold):
    assert value("<answer>the</answer>", gold) is None


@pytest.mark.parametrize("options", [{"metric": "f2"}, {"read": "all"}])
def test_senseless_options_are_refused(options):
    with pytest.raises(UserError, match=f"reward.{next(iter(options))}"):
        qa(**options)
