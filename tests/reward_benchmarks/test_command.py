"""The command: controls, what it leaves behind, going on, responses that are too long, one line for each bad input."""

from __future__ import annotations

import json

import pytest

from crucible.errors import UserError
from crucible.reward_benchmarks import command
from crucible.reward_benchmarks.controls import Length
from crucible.reward_benchmarks.evaluate import evaluate
from crucible.reward_benchmarks.items import Benchmark, Item
from crucible.reward_benchmarks.store import Store
from crucible.types import Prompt

from .small import judgebench_row, refused, rm_bench_row, rows_of, run, summary, write_rows


@pytest.fixture
def rm_bench(tmp_path):
    """Longer is better in chat; in code the wrong ones are longer."""
    write_rows(tmp_path / "rm" / "chat.jsonl", [rm_bench_row(1, ["aaaa", "aaaaa", "aaaaaa"], ["b", "bb", "bbb"])])
    write_rows(tmp_path / "rm" / "code.jsonl", [rm_bench_row(1, ["a", "aa", "aaa"], ["bbbb", "bbbbb", "bbbbbb"])])
    return tmp_path / "rm"


def options(data, out, benchmark="rm_bench", judge="length") -> list[str]:
    return [f"benchmark={benchmark}", f"judge={judge}", f"data={data}", f"out={out}"]


def test_the_length_control_end_to_end(rm_bench, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    assert run(*options(rm_bench, out)) == 0
    shown = capsys.readouterr().out
    assert "math, safety is missing: the last line is no overall of RM-Bench" in shown
    rows = rows_of(out)
    assert [rows[n]["score"]["value"] for n in ("chat", "code", "mean of chat, code")] == [1.0, 0.0, 0.5]
    kept = [json.loads(line) for line in (out / "scores.jsonl").read_text().splitlines()]
    assert kept == [{"id": "chat/1", "scores": [4, 5, 6, 1, 2, 3]}, {"id": "code/1", "scores": [1, 2, 3, 4, 5, 6]}]


def test_a_constant_only_ties_and_ties_are_wrong(rm_bench, tmp_path, capsys) -> None:
    assert run(*options(rm_bench, tmp_path / "out", judge="constant")) == 0
    assert rows_of(tmp_path / "out")["mean of chat, code"]["score"]["value"] == 0.0
    assert "2 of 2 items have a right and a wrong response with equal scores" in capsys.readouterr().out


def test_equal_texts_are_said_and_equal_scores_among_the_right_ones_are_no_tie(tmp_path, capsys) -> None:
    rows = [
        rm_bench_row(1, ["aa", "bb", "cccc"], ["d", "e", "fff"]),
        rm_bench_row(2, ["aa", "b", "c"], ["d", "aa", "e"]),
    ]
    data = write_rows(tmp_path / "chat.jsonl", rows)
    assert run(*options(data, tmp_path / "out")) == 0
    shown = capsys.readouterr().out
    assert "1 of 2 items hold one text as a right and as a wrong response" in shown
    assert "1 of 2 items have a right and a wrong response with equal scores" in shown


def test_chance_does_not_depend_on_order_and_is_half(tmp_path) -> None:
    rows = [judgebench_row(str(i), "livecodebench", "a", "b", "A>B" if i % 3 else "B>A") for i in range(400)]
    for name, lines in (("there", rows), ("back", rows[::-1])):
        data = write_rows(tmp_path / f"{name}.jsonl", lines)
        assert run(*options(data, tmp_path / name, "judgebench", "random")) == 0
    there, back = (rows_of(tmp_path / name)["overall"]["accuracy"]["value"] for name in ("there", "back"))
    assert there == back
    assert 0.42 < there < 0.58


def test_it_goes_on_where_it_was_stopped(rm_bench, tmp_path, capsys, monkeypatch) -> None:
    out = tmp_path / "out"
    assert run(*options(rm_bench, out)) == 0
    whole = summary(out)
    scores = (out / "scores.jsonl").read_bytes().splitlines(keepends=True)
    (out / "scores.jsonl").write_bytes(scores[0] + scores[1][:20])  # killed while it wrote the second
    asked = []

    def scores(self, questions):
        asked.extend(questions)
        return [float(len(q.response)) for q in questions]

    monkeypatch.setattr(Length, "scores", scores)
    assert run(*options(rm_bench, out)) == 0
    assert "1 of 2 items were scored before" in capsys.readouterr().err
    assert len(asked) == 6
    assert summary(out) == whole
    monkeypatch.setattr(Length, "scores", None)  # no judge is asked any more
    assert run(*options(rm_bench, out)) == 0
    assert summary(out) == whole


class Short:
    """Scores by length; more than five characters are too long for it."""

    def too_long(self, questions):
        return [f"{len(q.response)} characters of 5" if len(q.response) > 5 else "" for q in questions]

    def scores(self, questions):
        assert all(len(q.response) <= 5 for q in questions)
        return [float(len(q.response)) for q in questions]


def item(name: str, better: str, worse: str) -> Item:
    return Item(name, "coding", Prompt(id=name, text=name), (better, worse))


LONG = Benchmark("judgebench", [item("1", "aaa", "b"), item("2", "aaa", "bbbbbb"), item("3", "aaaaaaa", "b")])


def test_what_is_too_long_is_refused_before_anything_is_written(tmp_path) -> None:
    store = Store(tmp_path / "out")
    store.look({})
    message = r"2 of 3 items are too long for this judge, the first of them 2 \(6 characters of 5\)"
    with pytest.raises(UserError, match=message):
        evaluate(LONG, Short, store, too_long="refuse", report=lambda line: None)
    assert not (tmp_path / "out").exists()


def test_or_counted_as_wrong_or_left_out_and_said(tmp_path) -> None:
    store = Store(tmp_path / "out")
    store.look({})
    evaluate(LONG, Short, store, too_long="wrong", report=lambda line: None)
    store.close()
    assert store.records["2"].scores == [3.0, None]
    assert store.records["2"].too_long == ["", "6 characters of 5"]
    found, left = command.summarise(LONG, store.records, too_long="wrong")
    assert (found.rows[-1].cells["accuracy"].value, left) == (1 / 3, [])
    found, left = command.summarise(LONG, store.records, too_long="leave_out")
    assert (found.rows[-1].cells["accuracy"].value, found.rows[-1].n, left) == (1.0, 1, ["2", "3"])
    with pytest.raises(UserError, match="2 of 3 items are too long"):  # kept scores are no way around a refusal
        evaluate(LONG, Short, store, too_long="refuse", report=lambda line: None)


def test_a_score_that_is_no_number_is_refused(tmp_path) -> None:
    class Broken(Short):
        def scores(self, questions):
            return [float("nan") for _ in questions]

    store = Store(tmp_path / "out")
    store.look({})
    with pytest.raises(UserError, match="score of a response of 1 is nan"):
        evaluate(LONG, Broken, store, too_long="wrong", report=lambda line: None)
    store.close()


def test_bad_inputs(rm_bench, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    line = refused(capsys, *options(rm_bench, out, benchmark="rm_bnch"))
    assert line == 'benchmark=rm_bnch: one of rm_bench, judgebench, rewardbench2, principles (did you mean "rm_bench"?)'
    line = refused(capsys, *options(rm_bench, out, judge="lenght"))
    assert line.startswith('judge=lenght: no such folder (did you mean "length"?); give a reward model\'s folder')
    assert refused(capsys, *options(tmp_path / "nothing", out)) == f"data={tmp_path}/nothing: no such file or folder"
    assert refused(capsys, *options("", out)) == "missing data=...: the file or folder of rm_bench"
    line = refused(capsys, *options(tmp_path / "rm" / "chat.jsonl", tmp_path / "rm"))
    assert line == f"out={tmp_path}/rm is not empty and holds no evaluation; give another folder"
    line = refused(capsys, *options(rm_bench, out), "principle=brevity")
    assert line == "principle= is for a judge that reads one; length does not"
    line = refused(capsys, *options(rm_bench, out, judge="endpoint"), "asked=pair")
    assert line == "asked=pair is for benchmarks of pairs (judgebench, principles), not for rm_bench"
    line = refused(capsys, *options(tmp_path, out, "judgebench"), "asked=pair")
    assert line == "asked=pair is for judge=endpoint: length scores one response at a time"
    line = refused(capsys, *options(rm_bench, out, judge="endpoint"))
    assert line == "judge=endpoint needs endpoint=http://.../v1 and endpoint_model=NAME"
    bad = write_rows(tmp_path / "bad.jsonl", [judgebench_row("x", "livecodebench", "a", "b", "A=B")])
    line = refused(capsys, *options(bad, out, "judgebench"))
    assert line.startswith(f'{bad}:1: label must be A>B or B>A, not "A=B"')
    bad.write_text('{"pair_id": 1\n')
    line = refused(capsys, *options(bad, out, "judgebench"))
    assert line == f"{bad}:1: is not JSON (expecting ',' delimiter at column 14)"
    bad.write_bytes(b'{"a": "\xe9"}\n')
    assert refused(capsys, *options(bad, out, "judgebench")) == f"{bad}:1: is not UTF-8 (byte 0xe9)"
    bad.write_text("\n")
    assert refused(capsys, *options(bad, out, "judgebench")) == f"data: {bad} is empty"
    assert not out.exists()


def test_another_judge_or_data_in_the_same_folder_is_refused(rm_bench, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    assert run(*options(rm_bench, out)) == 0
    assert f"out={out} was begun with judge = " in refused(capsys, *options(rm_bench, out, judge="constant"))
    write_rows(rm_bench / "chat.jsonl", [rm_bench_row(1, "abc", "def")])
    assert f"out={out} was begun with items = " in refused(capsys, *options(rm_bench, out))
