"""Metrics survive a kill at any byte, and attempts join into one history."""

from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible.errors import UserError
from crucible.rundir.encoding import decode_numbers, encode
from crucible.rundir.jsonl import JsonlWriter, line_of, read_jsonl, repair, write_jsonl
from crucible.rundir.metrics import join_attempts, metrics_file, read_metrics

names = st.text(min_size=1, max_size=8).filter(lambda s: s not in ("kind", "step", "update", "phase"))
numbers = st.floats(allow_nan=True, allow_infinity=True) | st.integers(-(2**53), 2**53)
rows = st.lists(st.dictionaries(names, numbers, max_size=4), max_size=6)


def same(a: object, b: object) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (math.isnan(a) and math.isnan(b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


@settings(max_examples=40, deadline=None)
@given(rows, st.data())
def test_a_file_cut_at_any_byte_gives_every_complete_row(content, data):
    written = [{"kind": "update", "step": i, **row} for i, row in enumerate(content, start=1)]
    lines = [line_of(row) for row in written]
    whole = b"".join(lines)
    cut = data.draw(st.integers(0, len(whole)))
    ends = np.cumsum([len(line) for line in lines])
    complete = sum(int(end) - 1 <= cut for end in ends)  # a row is complete without its newline, too
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "metrics.001.jsonl"
        path.write_bytes(whole[:cut])
        assert same(read_metrics(path), written[:complete])


def test_every_cut_of_one_file(tmp_path):
    written = [{"kind": "update", "step": s, "x": 0.1 * s, "text": "ä€\U0001f600\n"} for s in (1, 2, 3)]
    whole = b"".join(map(line_of, written))
    path = tmp_path / "metrics.001.jsonl"
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        found = read_metrics(path)
        assert found == written[: len(found)]
        assert len(found) >= whole[:cut].count(b"\n")


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(numbers | st.booleans() | st.none(), lambda x: st.lists(x) | st.dictionaries(names, x), max_leaves=8)
)
def test_encoding_is_strict_json_and_comes_back(value):
    text = json.dumps(encode(value), allow_nan=False)
    assert same(decode_numbers(json.loads(text)), value)


def test_scalars_of_other_libraries_become_numbers():
    row = {"a": np.float32(0.5), "b": np.int64(3), "c": np.array([1.0, np.nan]), "d": np.bool_(True)}
    assert encode(row) == {"a": 0.5, "b": 3, "c": [1.0, "NaN"], "d": True}
    with pytest.raises(TypeError, match=r"row\.f: a set has no JSON form"):
        encode({"f": {1}}, "row")


def test_damage_in_the_middle_is_left_out_and_reported(tmp_path):
    path = tmp_path / "metrics.001.jsonl"
    path.write_bytes(line_of({"step": 1}) + b'{"step": 2, "x\n' + b"\0\0\0\n" + line_of({"step": 3}) + b"[1]\n")
    heard: list[str] = []
    assert [r["step"] for r in read_metrics(path, heard.append)] == [1, 3]
    assert len(heard) == 2
    assert ":2:" in heard[0]
    assert ":5:" in heard[1]


@pytest.mark.parametrize("rubbish", [b"", b"\0" * 70, b'{"half": ', b"\n\n", b'{"half\0\0\n\0\0'])
def test_a_torn_end_is_cut_off_at_the_first_bad_byte_for_every_cut(tmp_path, rubbish):
    written = [{"kind": "update", "step": s, "text": "ä\U0001f600\n"} for s in (1, 2)]
    lines = [line_of(row) for row in written]
    whole, path = b"".join(lines), tmp_path / "metrics.001.jsonl"
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut] + rubbish)
        complete = b"".join(lines[: sum(cut >= end - 1 for end in np.cumsum([len(line) for line in lines]))])
        if rubbish and cut in (len(lines[0]) - 1, len(whole) - 1) and not rubbish.startswith(b"\n"):
            complete = complete[: complete.rfind(b"\n", 0, -1) + 1]  # the rubbish is on the line of a row
        lost = repair(path)
        assert path.read_bytes() == complete
        assert lost == max(0, cut + len(rubbish) - len(complete))
        assert repair(path) == 0


def test_damage_between_whole_rows_is_left_where_it_is(tmp_path):
    path = tmp_path / "metrics.001.jsonl"
    content = line_of({"step": 1}) + b'{"step": 2, "x\n' + line_of({"step": 3})
    path.write_bytes(content)
    assert repair(path) == 0
    assert path.read_bytes() == content


def test_a_row_that_did_not_fit_is_taken_back(tmp_path):
    import resource

    path = tmp_path / "metrics.001.jsonl"
    writer = JsonlWriter(path, new=True)
    writer.write({"step": 1})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 20, limits[1]))
    try:
        with pytest.raises(UserError, match=r"cannot write .*larger than this system allows"):
            writer.write({"step": 2, "text": "x" * 100})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    writer.write({"step": 3})
    writer.close()
    assert read_jsonl(path) == [{"step": 1}, {"step": 3}]
    assert path.read_bytes().count(b"\n") == 2


def test_a_full_disk_is_one_clear_line():
    with pytest.raises(UserError, match=r"cannot write /dev/full: no space left on the device"):
        JsonlWriter(Path("/dev/full")).write({"step": 1})


def row(step, **more):
    return {"kind": "update", "step": step, "update": step, **more}


def test_the_later_attempt_wins_and_the_rest_stays():
    joined = join_attempts([[row(1, x=1), row(2, x=1), row(3, x=1)], [row(3, x=2), row(4, x=2)]])
    assert [(r["step"], r["x"]) for r in joined] == [(1, 1), (2, 1), (3, 2), (4, 2)]


def test_phases_and_kinds_are_different_things():
    first = [{"kind": "eval", "step": 5, "phase": "during", "x": 1}, row(5, x=1)]
    second = [{"kind": "eval", "step": 5, "phase": "after", "x": 2}]
    assert [r["x"] for r in join_attempts([first, second])] == [1, 1, 2]


def test_steps_that_a_resumed_run_went_back_behind_are_dropped():
    first = [row(s, x=1) for s in range(1, 8)]
    second = [{"kind": "attempt", "attempt": 2, "from_step": 4}, row(5, x=2)]
    third = [{"kind": "attempt", "attempt": 3, "from_step": 5}]
    assert [(r["step"], r["x"]) for r in join_attempts([first, second])] == [
        *((s, 1) for s in range(1, 5)),
        (5, 2),
    ]
    assert [r["step"] for r in join_attempts([first, second, third])] == [1, 2, 3, 4, 5]
    assert join_attempts([first, [{"kind": "attempt", "from_step": 0}]]) == []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), min_size=1, max_size=5))
def test_a_run_killed_and_resumed_joins_to_the_uninterrupted_one(lives):
    """Each attempt starts after a checkpoint and gets some steps done; the last one gets to the end."""
    end, done, attempts = 12, 0, []
    for number, (back, ahead) in enumerate(lives, start=1):
        start = max(0, done - back)
        stop = end if number == len(lives) else min(end, start + ahead)
        attempts.append(
            [
                {"kind": "attempt", "from_step": start},
                *(row(s, attempt=number) for s in range(start + 1, stop + 1)),
            ]
        )
        done = stop
    joined = join_attempts(attempts)
    assert [r["step"] for r in joined] == list(range(1, end + 1))
    numbers = [r["attempt"] for r in joined]
    assert numbers == sorted(numbers)


def test_a_row_that_every_attempt_writes_anew_stays_where_it_was():
    about_the_judge = {"kind": "reward_model", "step": 0}
    before = {"kind": "eval", "step": 0, "phase": "before"}
    one = [about_the_judge, before, row(1), row(1, text="again")]
    two = [about_the_judge, {"kind": "attempt", "from_step": 1}, row(2)]
    assert join_attempts([one]) == one
    assert join_attempts([one, two]) == [*one, row(2)]
    assert join_attempts([one[:1], two[:1], one]) == one


def test_attempt_files_are_joined_in_order_of_number(tmp_path):
    for attempt in (1, 2, 11, 1000):
        write_jsonl(metrics_file(tmp_path, attempt), [row(1, x=attempt)])
    (tmp_path / "metrics.002.jsonl.bak").write_text("no")
    assert [r["x"] for r in read_metrics(tmp_path)] == [1000]


def test_no_metrics_is_said_plainly(tmp_path):
    assert read_metrics(tmp_path) == []
    with pytest.raises(UserError, match=r"no metrics at"):
        read_metrics(tmp_path / "nowhere")
