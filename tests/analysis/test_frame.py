"""One loader: the frames hold what the run directories hold, whatever state these are in."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible.analysis.curves import by_step
from crucible.analysis.find import find_runs, one_run, run_directories
from crucible.analysis.flat_config import flatten, read_flat_config
from crucible.analysis.frame import curves_frame, evaluations_frame, metric_names, outcomes_frame, runs_frame
from crucible.analysis.rows import read_rows
from crucible.errors import UserError
from crucible.rundir import RunDir, read_config, read_metrics
from crucible.rundir.config_file import write_config

from .runs import eval_row, make_run, update_rows
from .small_runs import write_run


def test_one_row_a_run_with_its_config_in_columns(tmp_path):
    write_run(tmp_path / "runs" / "exp" / "a", seed=3, options={"algo.loss.eps_high": 0.28})
    write_run(
        tmp_path / "runs" / "exp" / "b", seed=4, options={"entropy": {"_target_": "x.bonus.Bonus", "list": [1, 2]}}
    )
    frame = runs_frame([tmp_path / "runs"]).set_index("run")
    assert list(frame.index) == ["exp/a", "exp/b"]
    assert frame.loc["exp/a", ["algo.loss", "algo.loss.eps_high", "seed", "state", "commit"]].tolist() == [
        "ppo_clip", 0.28, 3, "finished", "abc1234",
    ]  # fmt: skip
    assert frame.loc["exp/b", "entropy.list"] == "[1, 2]"
    assert frame["entropy"].isna().tolist() == [True, False]
    assert frame["code_version"].tolist() == ["c0", "c0"]


def test_whatever_state_runs_are_in_they_are_rows(tmp_path):
    make_run(tmp_path / "exp" / "failed", state="failed")
    make_run(tmp_path / "exp" / "dead", state="running")
    broken = make_run(tmp_path / "exp" / "broken")
    (broken / "config.yaml").write_text("a: [")
    (broken / "status.json").write_text("{")
    with (broken / "metrics.001.jsonl").open("ab") as file:
        file.write(b'{"kind":"eval", garbage\n{"kind":"eval","st')
    half = tmp_path / "exp" / "half"
    half.mkdir()
    (half / "config.yaml").write_text("seed: 1\n")
    with RunDir.open(tmp_path / "exp" / "live", {"seed": 1}, report=lambda line: None):
        runs = find_runs(tmp_path)
    for _ in range(2):  # what is read again is reported once
        evaluations_frame(runs)
        curves_frame(runs)
    frame = runs_frame(runs).set_index("run_id")
    states = {"broken": "unknown", "dead": "dead", "failed": "failed", "half": "unknown", "live": "running"}
    assert frame["state"].to_dict() == states
    problems = next(run.problems for run in runs if run.facts["run_id"] == "broken")
    assert len(problems) == 3  # config, status, one damaged line; the torn last line is no damage
    assert frame.loc["broken", "problems"] == "; ".join(problems)
    assert "no status.json" in frame.loc["half", "problems"]
    assert (frame.loc[["dead", "failed", "live"], "problems"] == "").all()


def test_every_prefix_of_a_run_being_written_can_be_loaded(tmp_path):
    """Take the files of a run away from the newest on: whatever is left loads."""
    path = make_run(tmp_path / "exp" / "a", steps=2)
    for name in ("status.json", "provenance.json", "metrics.001.jsonl", "config.yaml", "run.lock"):
        (path / name).unlink()
        run = one_run(path)
        assert (run.state, bool(run.problems)) == ("unknown", True)
        assert bool(run.rows("update")) is (name in ("status.json", "provenance.json"))
        assert list(run_directories(tmp_path)) == ([path] if (path / "config.yaml").exists() else [])
    with pytest.raises(UserError, match=r'no run directory .*exp has no ax \(did you mean "a"\?\)'):
        one_run(tmp_path / "exp" / "ax")


def test_every_prefix_of_a_metrics_file_gives_the_rows_of_the_full_reader(tmp_path):
    """Cut anywhere, the light reader and crucible.rundir.read_metrics agree."""
    path = make_run(tmp_path / "exp" / "a", steps=3)
    whole = (path / "metrics.001.jsonl").read_bytes()
    for end in [*range(0, len(whole), 97), len(whole)]:
        (path / "metrics.001.jsonl").write_bytes(whole[:end])
        every = read_metrics(path)
        for kind in ("eval", "update"):
            assert read_rows(path, kind, pytest.fail) == [row for row in every if row["kind"] == kind]
        assert by_step(read_rows(path, "update", pytest.fail, ["policy/kl_old"]), ["policy/kl_old"]).keys() == (
            {"policy/kl_old"} if any("policy/kl_old" in row for row in every) else set()
        )


GOOD = b'{"kind":"update","step":1,"update":1,"a":0.1,"b":"NaN"}'


@pytest.mark.parametrize(
    "line",
    [
        b"", b"\0\0\0", b"garbage", b"[1]", b'"a"', b"7", b"null", b'{"kind":"update","step":2,"a":0.5', GOOD + GOOD,
        b'{"kind":"update","step":2,"a":1e999}', b'{"kind":"update","step":2,"a":NaN}', b'{"step":2,"a":3}',
        b' { "kind" : "update" , "step" : 2 , "a" : 3 }\r', b'{"kind":"update","step":2,"a":"x","c":{"a":9}}',
        b'{"kind":"update","step":2,"a":1,"a":2}', b'{"kind":"update","step":2,"a":"Infinity","b":true}',
        b'{"kind":"update","step":"NaN","a":1}', b'{"kind":"update","step":2,"a":123456789012345678901234567890}',
        b'{"kind":"update","step":2,"a":"\\ud800"}', b'{"a":5,"step":2,"kind":"update"}', b'{"kind":3,"a":4}',
    ],
)  # fmt: skip
def test_whatever_stands_in_a_line_the_readers_agree(tmp_path, line):
    """Lines a run never writes: the light reader leaves out, keeps and reports what the full one does."""
    path = make_run(tmp_path / "exp" / "a", rows=[])
    (path / "metrics.001.jsonl").write_bytes(b"\n".join([GOOD, line, GOOD.replace(b"1", b"3"), b""]))
    reports = [], [], []
    full = [row for row in read_metrics(path, reports[0].append) if row.get("kind") == "update"]
    light = read_rows(path, "update", reports[1].append)
    chosen = read_rows(path, "update", reports[2].append, ["a"])
    assert repr(light) == repr(full)
    assert repr([row.get("a") for row in chosen]) == repr([row.get("a") for row in full])
    assert reports[0] == reports[1] == reports[2]


def test_attempts_are_joined_as_by_the_full_reader(tmp_path):
    path = make_run(tmp_path / "exp" / "a", steps=6)
    rows = [{"kind": "attempt", "attempt": 2, "from_step": 3}, *update_rows(4), eval_row(4, "during", 2.0)]
    rows[1]["policy/entropy"] = "NaN"
    (path / "metrics.002.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for kind in ("eval", "update"):
        light, full = read_rows(path, kind, pytest.fail), [r for r in read_metrics(path) if r["kind"] == kind]
        assert repr(light) == repr(full)
        named = read_rows(path, kind, pytest.fail, ["policy/entropy"])
        assert repr([row.get("policy/entropy") for row in named]) == repr([row.get("policy/entropy") for row in full])
    assert max(row["step"] for row in read_rows(path, "update", pytest.fail)) == 4
    assert math.isnan(read_rows(path, "update", pytest.fail)[6]["policy/entropy"])


LEAVES = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False, allow_infinity=False) | st.text()
TREES = st.recursive(
    LEAVES | st.lists(LEAVES, max_size=3),
    lambda children: st.dictionaries(st.text("abc_", min_size=1, max_size=4), children, max_size=3),
    max_leaves=8,
)


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.from_regex(r"[a-z][a-z_]{0,6}", fullmatch=True), TREES, min_size=1, max_size=5))
def test_the_fast_config_reader_equals_the_full_one(tmp_path_factory, config):
    config.pop("hydra", None)
    path = tmp_path_factory.mktemp("c") / "config.yaml"
    write_config(path, config, command="python train.py a=b")
    try:
        expected = flatten(read_config(path))
    except (UserError, yaml.YAMLError):
        return  # characters YAML cannot hold
    assert read_flat_config(path) == expected


def test_evaluations_and_outcomes_in_long_form(tmp_path):
    write_run(tmp_path / "e" / "a", seed=1, right={"before": [0, 1], "after": [2, 4]})
    write_run(tmp_path / "e" / "b", seed=2, right={"before": [0, 1], "during": [1, 1], "after": [4, 4]})
    frame = evaluations_frame([tmp_path])
    after = frame[(frame.phase == "after") & (frame.metric == "avg@4")].set_index("run")
    assert after["value"].to_dict() == {"e/a": 0.75, "e/b": 1.0}
    assert set(frame["metric"]) == {"avg@4", "length"}
    assert set(after["problems"]) == {2}
    outcomes = outcomes_frame([tmp_path], phase="after")
    assert outcomes.groupby("run", observed=True)["right"].apply(list).to_dict() == {"e/a": [2, 4], "e/b": [4, 4]}
    assert outcomes["problem"].tolist() == [0, 1, 0, 1]
    assert len(outcomes_frame([tmp_path])) == 10
    stored = make_run(tmp_path / "x" / "c")
    limits = evaluations_frame([stored]).query("metric == 'avg@8'")
    assert (limits["low"] < limits["value"]).all()
    assert (limits["value"] < limits["high"]).all()


def test_curves_by_step_and_by_update(tmp_path):
    path = make_run(tmp_path / "exp" / "a", steps=4)
    by_step = curves_frame([path], ["policy/preserved_left", "reward/mean"])
    left = by_step[by_step["metric"] == "policy/preserved_left"]
    assert left["step"].tolist() == [1, 2, 3, 4]
    assert left["value"].tolist() == pytest.approx([0.002] * 4)  # mean of 0 and 0.004
    by_update = curves_frame([path], ["policy/preserved_left"], by="update")
    assert by_update["update"].tolist() == list(range(1, 9))
    assert by_update["value"].tolist() == [0.0, 0.004] * 4
    assert set(curves_frame([path])["metric"]) == set(metric_names([path]))
    with pytest.raises(UserError, match=r'no run has the metric policy/entropi \(did you mean "policy/entropy"\?\)'):
        curves_frame([path], ["policy/entropi"])


def test_the_updates_of_a_step_become_one_point_with_its_range():
    rows = [{"step": s, "a": v} for s, v in ((2, 5.0), (1, 1.0), (2, 7), (3, math.nan), (3, 1.0), (4, True))]
    curve = by_step([*rows, {"a": 1.0}], ["a", "b"])["a"]
    assert by_step(rows).keys() == {"a"}
    for found, expected in zip(
        (curve.steps, curve.mean, curve.low, curve.high),
        ([1, 2, 3], [1, 6, math.nan], [1, 5, math.nan], [1, 7, math.nan]),
        strict=True,
    ):
        np.testing.assert_array_equal(found, expected)
    assert curve.finite().steps.tolist() == [1, 2]
    assert by_step([{"step": 1, "a": math.nan}])["a"].finite() is None


def test_nan_stays_a_gap(tmp_path):
    write_run(tmp_path / "e" / "a", curves={"policy/entropy": [0.5, 0.4]})
    metrics = tmp_path / "e" / "a" / "metrics.001.jsonl"
    metrics.write_text(metrics.read_text() + '{"kind":"update","step":3,"update":3,"policy/entropy":"NaN"}\n')
    assert np.isnan(curves_frame([tmp_path], ["policy/entropy"])["value"].tolist()[2])


def test_roots_of_every_sort(tmp_path, monkeypatch):
    for name in ("one/a", "one/b", "two/a"):
        write_run(tmp_path / "runs" / name)
    names = ["one/a", "one/b", "two/a"]
    assert [r.name for r in find_runs(str(tmp_path / "runs" / "*" / "a"))] == ["one/a", "two/a"]
    assert [r.name for r in find_runs([tmp_path / "runs" / "one", tmp_path / "runs"])] == names
    write_run(tmp_path / "copy" / "one" / "a")
    twice = find_runs([tmp_path / "runs" / "one" / "a", tmp_path / "copy"])
    assert [r.name for r in twice] == [r.path for r in twice]  # two runs must not share a name


@pytest.mark.parametrize(
    ("root", "message"),
    [
        ("rnus", r'no runs found at .*: .* has no rnus \(did you mean "runs"\?\)'),
        ("runs/one/x*", r"nothing in .*one matches x\*"),
        ("empty", r"no runs found in .*empty: no folder under it has a config.yaml"),
        ("file.txt", r"it is a file, neither a run directory nor a results file"),
        ("none.json", r"no results file"),
    ],
)
def test_nothing_found_says_where_it_looked(tmp_path, root, message):
    write_run(tmp_path / "runs" / "one" / "a")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.txt").write_text("")
    with pytest.raises(UserError, match=message):
        find_runs(tmp_path / root)
