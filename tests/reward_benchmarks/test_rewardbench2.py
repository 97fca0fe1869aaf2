"""RewardBench 2: credit for ties at the top, and the Ties domain by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from crucible.errors import UserError
from crucible.reward_benchmarks.rewardbench2 import credit, load, summarise, ties, ties_terms

from .small import write_rows


def row(name: str, subset: str, chosen: str = "r", rejected: str = "xyz") -> dict:
    return {"id": name, "subset": subset, "prompt": f"q {name}", "chosen": list(chosen), "rejected": list(rejected)}


TIES = [row("ref:3", "Ties", "r", "xy"), row("tied:3", "Ties", "rst", "xy")]


@pytest.mark.parametrize(
    ("scores", "wanted"),
    [
        ([2, 1, 0, 0], 1), ([1, 2, 0, 0], 0), ([2, 2, 0, 0], 1 / 2), ([1, 1, 1, 1], 1 / 4),
        ([2, math.nan, 0, 0], 0), ([math.nan, 1, 0, 0], 0),
    ],
)  # fmt: skip
def test_credit(scores, wanted) -> None:
    assert credit(scores) == wanted


def test_the_ties_domain_by_hand(tmp_path) -> None:
    """margin_tied 1.3 > spread .5; margin_ref .3 is not: .30 + .30 + .20 + 0 + .01 tanh(.3/.5 - 1)."""
    items = load(write_rows(tmp_path / "f.jsonl", TIES)).items
    found, alone = ties(items, {"Ties/tied:3": [2, 1.5, 1.8, 0.2, -1], "Ties/ref:3": [1.6, 1.3, 0]})
    assert found.value == pytest.approx(0.796201, abs=5e-7)
    assert alone == 0


def test_the_most_is_above_one_and_a_spread_of_zero_is_no_accident() -> None:
    def score(ref: float, tied: float, spread: float) -> list[float]:
        return ties_terms(np.array([ref]), np.array([tied]), np.array([spread]))[0].tolist()

    assert score(1, 1, 0) == [1, 1, 1, 1, 1]  # tanh(infinity)
    assert score(0, 1, 0) == [1, 0, 1, 0, 0]  # 0/0 counts 0
    assert score(-1, 1, 0) == [1, 0, 1, 0, -1]


def test_the_overall_is_the_mean_of_domains(tmp_path) -> None:
    rows = [row("1", "factuality"), row("2", "Factuality"), row("3", "Precise IF"), *TIES]
    benchmark = load(write_rows(tmp_path / "f.jsonl", rows))
    scores = {"Factuality/1": [1, 0, 0, 0], "Factuality/2": [0, 1, 0, 0], "Precise IF/3": [1, 1, 0, 0],
              "Ties/tied:3": [2, 1.5, 1.8, 0.2, -1], "Ties/ref:3": [1.6, 1.3, 0]}  # fmt: skip
    found = summarise(benchmark, scores)
    assert [r.name for r in found.rows] == ["Factuality", "Precise IF", "Ties", "mean of 3 domains"]
    assert found.rows[-1].cells["score"].value == pytest.approx((0.5 + 0.5 + 0.796201) / 3, abs=1e-6)
    assert found.more["missing"] == ["Math", "Safety", "Focus"]


def test_an_item_without_its_partner_counts_for_accuracy_alone(tmp_path) -> None:
    items = load(write_rows(tmp_path / "f.jsonl", [*TIES, row("ref:4", "Ties", "r", "xy")])).items
    scores = {"Ties/tied:3": [2, 1.5, 1.8, 0.2, -1], "Ties/ref:3": [1.6, 1.3, 0], "Ties/ref:4": [0, 1, 2]}
    found, alone = ties(items, scores)
    assert alone == 1
    assert found.value == pytest.approx(0.796201 - 0.15, abs=5e-7)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (row("1", "Focuss"), r"f.jsonl:1: subset 'Focuss' is none of .*did you mean \"Focus\""),
        (row("1", "Math", "ab"), "f.jsonl:1: 2 right answers in Math"),
        (row("5", "Ties"), "f.jsonl:1: the id of a Ties item is ref:ID or tied:ID, not '5'"),
        (row("tied:5", "Ties"), "f.jsonl:1: tied:5 has 1 right answers; ref has one, tied has several"),
        (row("1", "Math", ""), "f.jsonl:1: chosen has 0 entries"),
    ],
)
def test_a_damaged_row_is_named_with_its_line(tmp_path, bad, message) -> None:
    with pytest.raises(UserError, match=message):
        load(write_rows(tmp_path / "f.jsonl", [bad]))
