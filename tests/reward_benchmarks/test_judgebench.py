"""JudgeBench: the label, one game, two games with both rules, position bias, and the real files."""

from __future__ import annotations

from collections import Counter

import pytest

from crucible.errors import UserError
from crucible.reward_benchmarks import judgebench
from crucible.reward_benchmarks.judgebench import both_orders, load, micro, official, position

from .small import judgebench_row, real, write_rows

ROWS = [
    judgebench_row("p1", "mmlu-pro-law", "right", "wrong"),
    judgebench_row("p2", "livebench-reasoning", "wrong", "right", "B>A"),
    judgebench_row("p3", "livebench-math", "right", "wrong"),
    judgebench_row("p4", "livecodebench", "wrong", "right", "B>A"),
    judgebench_row("p5", "mmlu-pro-health", "right", "wrong"),
]


@pytest.fixture
def small(tmp_path):
    return load(write_rows(tmp_path / "gpt_4o.jsonl", ROWS))


def test_the_better_response_comes_first_whatever_its_letter(small) -> None:
    assert {i.responses for i in small.items} == {("right", "wrong")}
    assert [i.part for i in small.items] == ["knowledge", "reasoning", "math", "coding", "knowledge"]


def test_one_game_is_won_by_a_strictly_higher_score(small) -> None:
    scores = {"p1": [2, 1], "p2": [1, 1], "p3": [1, 2], "p4": [float("nan"), 0], "p5": [0.1, 0]}
    rows = {r.name: r for r in judgebench.summarise_scores(small, scores).rows}
    assert {name: row.cells["accuracy"].value for name, row in rows.items()} == {
        "knowledge": 1.0, "reasoning": 0.0, "math": 0.0, "coding": 0.0, "overall": 0.4,  # micro: 2 of 5, not 1 of 4
    }  # fmt: skip
    assert (rows["knowledge"].of, rows["overall"].of) == (154, 350)


@pytest.mark.parametrize(
    ("games", "by_sum", "by_both"),
    [
        (("right", "right"), True, True),
        (("right", "tie"), True, False),
        ((None, "right"), True, False),
        (("right", "wrong"), False, False),
        (("tie", "tie"), False, False),
        (("wrong", "tie"), False, False),
        ((None, None), False, False),
    ],
)
def test_two_games(games, by_sum, by_both) -> None:
    assert (official(games), both_orders(games)) == (by_sum, by_both)


def test_position_bias(small) -> None:
    """A judge that always takes the first: right wherever the better response is first, never in both orders."""
    always_first = {i.id: ("right", "wrong") for i in small.items}
    found = position(list(always_first.values()))
    assert {name: share.value for name, share in found.items()} == {
        "chosen first": 1.0, "rejected first": 0.0, "both orders": 0.0,
    }  # fmt: skip
    last = judgebench.summarise_games(small, always_first).rows[-1]
    assert (last.name, last.cells["accuracy"].value, last.cells["chosen first"].value) == ("overall", 0.0, 1.0)


def test_the_rule_decides_the_accuracy(small) -> None:
    games = {i.id: ("right", "tie") for i in small.items} | {"p1": ("right", "right")}
    for rule, share in (("official", 1.0), ("both_orders", 0.2)):
        assert judgebench.summarise_games(small, games, rule).rows[-1].cells["accuracy"].value == share


def test_the_micro_average_weights_by_counts() -> None:
    found = micro({"a": [True] * 3, "b": [False]})
    assert (found.value, found.n) == (0.75, 4)
    assert found.low < 0.75 < found.high


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (judgebench_row("x", "mmlu-pro-law", "a", "b", "A>>B"), 'f.jsonl:1: label must be A>B or B>A, not "A>>B"'),
        (judgebench_row("x", "mmlu-pro-law", "a", "b", None), "f.jsonl:1: label must be A>B or B>A, not null"),
        (judgebench_row("x", "gpqa", "a", "b"), "f.jsonl:1: source 'gpqa' begins with none of mmlu-pro, "),
        ({"pair_id": "x", "source": "livecodebench", "label": "A>B"}, "f.jsonl:1: no column response_A"),
    ],
)
def test_a_damaged_row_is_named_with_its_line(tmp_path, row, message) -> None:
    with pytest.raises(UserError, match=message):
        load(write_rows(tmp_path / "f.jsonl", [row]))


def test_a_folder_needs_one_file_of_the_split(tmp_path) -> None:
    write_rows(tmp_path / "gpt_4o.jsonl", ROWS)
    assert len(load(tmp_path, "gpt-4o").items) == 5
    with pytest.raises(UserError, match=r"no file of JudgeBench's split claude-3-5-sonnet .*gpt_4o.jsonl"):
        load(tmp_path, "claude-3-5-sonnet")


@pytest.mark.parametrize(
    ("split", "wanted"),
    [
        ("gpt-4o", {"knowledge": 77, "reasoning": 49, "math": 28, "coding": 21}),
        ("claude-3-5-sonnet", {"knowledge": 77, "reasoning": 26, "math": 17, "coding": 15}),
    ],
)
def test_what_the_real_files_are(split, wanted) -> None:
    found = load(real("judgebench"), split)
    assert Counter(i.part for i in found.items) == wanted
    assert found.notes == []
    assert all(abs(n - judgebench.SIZES[split][part] / 2) <= 0.5 for part, n in wanted.items())  # every second row
