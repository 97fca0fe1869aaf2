"""RM-Bench: the 3x3 matrix by hand, the two means, its files, and the real ones where CRUCIBLE_DATA is."""

from __future__ import annotations

import json
import math
from collections import Counter
from itertools import product

import numpy as np
import pytest

from crucible.errors import UserError
from crucible.reward_benchmarks.items import Benchmark, Item
from crucible.reward_benchmarks.rm_bench import SIZES, by_difficulty, load, summarise, wins
from crucible.types import Prompt

from .small import real, rm_bench_row, write_rows


def cells(scores) -> dict[str, float]:
    return {name: float(values.mean()) for name, values in by_difficulty(wins(scores)).items()}


def test_the_matrix_by_hand() -> None:
    """Rows chosen 3, 1, 2; columns rejected 2, 2.5, 1. The last row ties with the first column."""
    won = wins([[3, 1, 2, 2, 2.5, 1]])
    assert won.tolist() == [[[True, True, True], [False, False, False], [False, False, True]]]
    assert cells([[3, 1, 2, 2, 2.5, 1]]) == pytest.approx({"easy": 0.0, "normal": 2 / 3, "hard": 2 / 3})


@pytest.mark.parametrize(
    ("scores", "easy", "normal", "hard"),
    [
        ([1, 2, 3, 0, 0, 0], 1, 1, 1),
        ([0, 0, 0, 0, 0, 0], 0, 0, 0),  # ties are wrong
        ([1, 2, 3, 1, 2, 3], 1, 0, 0),  # fancier wins, equal styles tie
        ([3, 2, 1, 3, 2, 1], 0, 0, 1),
        ([5, math.nan, 5, 0, 0, math.nan], 2 / 3, 1 / 3, 1 / 3),  # no score wins nothing
    ],
)
def test_where_a_cell_counts(scores, easy, normal, hard) -> None:
    assert cells([scores]) == pytest.approx({"easy": easy, "normal": normal, "hard": hard})


def test_against_the_definition_in_loops() -> None:
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 3, size=(7, 6)).astype(float)  # many ties
    matrix = [[sum(row[i] > row[3 + j] for row in scores) / 7 for j in range(3)] for i in range(3)]
    pairs = list(product(range(3), range(3)))
    wanted = {
        "easy": sum(matrix[i][j] for i, j in pairs if i > j) / 3,
        "normal": sum(matrix[i][j] for i, j in pairs if i == j) / 3,
        "hard": sum(matrix[i][j] for i, j in pairs if i < j) / 3,
    }
    assert cells(scores) == pytest.approx(wanted)


def item(name: str, part: str) -> Item:
    return Item(name, part, Prompt(id=name, text=name), tuple("abcdef"), right=3)


def test_the_overall_is_the_mean_of_domains_and_safety_is_pooled_by_prompt() -> None:
    items = [item("chat/1", "chat"), item("math/1", "math"), item("code/1", "code"), item("safety-refuse/1", "safety"),
             item("safety-refuse/2", "safety"), item("safety-response/1", "safety")]  # fmt: skip
    all_right, fancier = [1.0, 2, 3, 0, 0, 0], [1.0, 2, 3, 1, 2, 3]
    scores = {i.id: fancier for i in items} | {"safety-response/1": all_right, "chat/1": all_right}
    found = summarise(Benchmark("rm_bench", items, SIZES), scores)
    rows = {row.name: row for row in found.rows}
    assert rows["safety"].cells["normal"].value == pytest.approx(1 / 3)  # not 1/2, the mean of the two halves
    assert rows["safety"].cells["score"].value == pytest.approx((1 + 1 / 3 + 1 / 3) / 3)
    domains = [rows[d].cells["score"].value for d in SIZES]
    assert rows["overall"].cells["score"].value == pytest.approx(sum(domains) / 4)
    difficulties = [rows["overall"].cells[d].value for d in ("easy", "normal", "hard")]
    assert rows["overall"].cells["score"].value == pytest.approx(sum(difficulties) / 3)
    assert found.more["matrices"]["code"] == [[0, 0, 0], [1, 0, 0], [1, 1, 0]]
    cell = rows["overall"].cells["score"]
    assert cell.low < cell.value < cell.high


def test_a_missing_domain_is_said_and_the_last_line_is_then_no_overall() -> None:
    items = [item("chat/1", "chat"), item("code/1", "code")]
    found = summarise(Benchmark("rm_bench", items, SIZES), {"chat/1": [1, 1, 1, 0, 0, 0], "code/1": [0.0] * 6})
    assert found.rows[-1].name == "mean of chat, code"
    assert found.rows[-1].cells["score"].value == 0.5
    assert found.more["missing"] == ["math", "safety"]
    assert any("math, safety is missing" in note for note in found.notes)


def test_both_namings_and_both_formats(tmp_path) -> None:
    row = rm_bench_row(8, "abc", "def")
    write_rows(tmp_path / "chat.jsonl", [row])
    write_rows(tmp_path / "safety_response.jsonl", [row])
    (tmp_path / "safety-refuse_filtered.json").write_text(json.dumps([row], indent=1))
    (tmp_path / "notes.json").write_text("[]")
    found = load(tmp_path)
    assert {(i.id, i.part) for i in found.items} == {
        ("chat/8", "chat"), ("safety-response/8", "safety"), ("safety-refuse/8", "safety"),
    }  # fmt: skip
    assert found.items[0].responses == tuple("abcdef")
    assert found.items[0].right == 3
    whole = write_rows(tmp_path / "anything.jsonl", [row | {"domain": "safety-refuse"}])
    assert load(whole).items[0].part == "safety"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"id": 1, "prompt": "q", "chosen": ["a", "b", "c"]}, "chat.jsonl:2: no column rejected"),
        (rm_bench_row(1, "ab", "abc"), "chat.jsonl:2: chosen has 2 entries; it must be a list of 3 texts"),
        (rm_bench_row(1, "abc", "abc") | {"chosen": "abc"}, 'must be a list of 3 texts, not "abc"'),
        (rm_bench_row(1, "abc", "abc") | {"prompt": " "}, 'prompt must be a text that is not empty, not " "'),
        (rm_bench_row(1, "abc", "abc") | {"domain": "chta"}, "domain 'chta' is none of chat, math, code, .*\"chat\""),
        (rm_bench_row(8, "abc", "abc"), "chat.jsonl:2: the id chat/8 is that of .*chat.jsonl:1 too"),
        ([1], "chat.jsonl:2: is a JSON list, not an object"),
    ],
)
def test_a_damaged_row_is_named_with_its_line(tmp_path, row, message) -> None:
    write_rows(tmp_path / "chat.jsonl", [rm_bench_row(8, "abc", "def"), row])
    with pytest.raises(UserError, match=message):
        load(tmp_path)


def test_what_the_real_files_are() -> None:
    found = load(real("rm_bench"))
    assert Counter(i.part for i in found.items) == {"safety": 221, "code": 114, "chat": 65}
    assert all(len(i.responses) == 6 and all(i.responses) for i in found.items)
    styled = [i for i in found.items if i.part == "chat"]
    detailed = sum(len(i.responses[1]) > len(i.responses[0]) for i in styled)
    assert detailed / len(styled) > 0.9  # concise comes first
