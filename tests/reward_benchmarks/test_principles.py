"""Pairs judged by a stated principle: what is built holds by program, and only who reads the principle re-orders."""

from __future__ import annotations

from collections import Counter

import pytest

from crucible.data.chain import Chain
from crucible.errors import UserError
from crucible.reward_benchmarks.controls import Constant, Length, Random
from crucible.reward_benchmarks.evaluate import questions
from crucible.reward_benchmarks.principles import build, load, summarise

from .small import write_rows

TASK = Chain(eval_prompts=24)


@pytest.fixture(scope="module")
def built():
    return build(TASK, prompts=24)


def rows(benchmark, right) -> dict:
    return {row.name: (row.n, row.cells["accuracy"].value) for row in summarise(benchmark, right).rows}


def test_of_every_pair_the_first_fulfils_the_principle_and_the_second_does_not(built) -> None:
    for item in built.items:
        better, worse = (TASK.fulfils(item.prompt, text, item.principle) for text in item.responses)
        assert (better, worse) == (True, False)


def test_a_swap_is_one_pair_and_two_principles(built) -> None:
    groups = Counter(i.group for i in built.items if i.group)
    assert set(groups.values()) == {2}
    assert len(groups) == 24
    for name in groups:
        one, other = (i for i in built.items if i.group == name)
        assert one.responses == other.responses[::-1]
        assert one.principle != other.principle


def test_every_principle_is_asked_once_a_prompt_and_of_held_out_prompts_alone(built) -> None:
    asked = Counter((i.prompt.id, i.principle) for i in built.items if not i.group)
    assert set(asked.values()) == {1}
    assert Counter(p for _, p in asked) == dict.fromkeys(TASK.principles(), 24)
    assert {i.prompt.id for i in built.items} == {p.id for p in TASK.eval_prompts()}


def test_the_same_seed_the_same_pairs(built) -> None:
    assert build(TASK, prompts=24).content() == built.content() != build(TASK, prompts=24, seed=1).content()


def test_who_reads_the_principle_is_right_everywhere(built) -> None:
    right = {}
    for i in built.items:
        better, worse = (float(TASK.fulfils(q.prompt, q.response, q.principle)) for q in questions(i))
        right[i.id] = better > worse
    found = rows(built, right)
    assert found["mean over principles"] == (144, 1.0)
    assert found["swaps re-ordered rightly"] == (24, 1.0)
    assert found["questions of swaps"] == (48, 1.0)


@pytest.mark.parametrize(("control", "share"), [(Random(0), 0.5), (Length(), None), (Constant(), 0.0)])
def test_who_does_not_read_it_re_orders_nothing(built, control, share) -> None:
    right = {}
    for i in built.items:
        better, worse = control.scores(questions(i))
        right[i.id] = better > worse
    found = rows(built, right)
    assert found["swaps re-ordered rightly"] == (24, 0.0)
    assert found["questions of swaps"][1] <= 0.5
    if share is not None:  # without ties exactly one of a swap's two questions is right; with nothing but ties none
        assert found["questions of swaps"][1] == share


def line(name: str, principle: str, chosen: str, rejected: str, **more) -> dict:
    return {"id": name, "prompt": "q", "principle": principle, "chosen": chosen, "rejected": rejected, **more}


def test_a_file_of_pairs_with_swaps(tmp_path) -> None:
    lines = [line("1", "brief", "a", "b"), line("2", "brief", "a", "b", swap=7), line("3", "kind", "b", "a", swap=7)]
    benchmark = load(write_rows(tmp_path / "f.jsonl", lines))
    found = rows(benchmark, {"1": True, "2": True, "3": False})
    assert found == {
        "brief": (1, 1.0), "mean over principles": (1, 1.0),
        "swaps re-ordered rightly": (1, 0.0), "questions of swaps": (2, 0.5),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([line("1", "brief", "a", "a")], "f.jsonl:1: chosen and rejected are the same text"),
        ([line("1", "", "a", "b")], 'f.jsonl:1: principle must be a text that is not empty, not ""'),
        ([line("1", "brief", "a", "b", swap=1)], "f.jsonl:1: swap 1 must be two rows"),
        ([line("1", "x", "a", "b", swap=1), line("2", "y", "a", "b", swap=1)], "f.jsonl:2: swap 1 must be two rows"),
    ],
)
def test_a_damaged_row_is_named_with_its_line(tmp_path, lines, message) -> None:
    with pytest.raises(UserError, match=message):
        load(write_rows(tmp_path / "f.jsonl", lines))
