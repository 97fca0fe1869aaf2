"""A results file says what the run directories say, and is small."""

from __future__ import annotations

import json
import math
import socket

import numpy as np
import pytest

from crucible.analysis.frame import curves_frame, evaluations_frame, find_runs, outcomes_frame, runs_frame
from crucible.analysis.results import read_results, thinned, write_results
from crucible.errors import UserError

from .runs import make_run
from .small_runs import write_run


@pytest.fixture
def folder(tmp_path):
    for seed in (1, 2):
        curves = {"policy/entropy": [1 / s for s in range(seed, seed + 30)], "policy/loss": [0.0] * 30}
        write_run(tmp_path / "runs" / "e" / f"s{seed}", seed=seed, curves=curves,
                  right={"before": [0, 1], "during": [1, 1], "after": [2, seed]})  # fmt: skip
    write_run(tmp_path / "runs" / "e" / "s3", seed=3, state="failed", options={"algo.loss.eps_high": 0.28})
    return tmp_path


def test_the_frames_of_a_file_are_those_of_the_runs(folder):
    runs = find_runs([folder / "runs"])
    write_results(folder / "r.json", runs, made_by="python analysis/collect.py")
    stored = find_runs([folder / "r.json"])
    ours, theirs = (runs_frame(r).drop(columns=["path", "host"]) for r in (runs, stored))
    assert set(ours.columns) == set(theirs.columns)
    assert theirs[sorted(theirs.columns)].equals(ours[sorted(theirs.columns)])
    assert (
        evaluations_frame(stored)
        .drop(columns=["problems", "samples"])
        .equals(evaluations_frame(runs).drop(columns=["problems", "samples"]))
    )
    ends = outcomes_frame(runs)
    assert outcomes_frame(stored)["right"].tolist() == ends[ends["phase"] != "during"]["right"].tolist()
    a, b = (curves_frame(r, ["policy/entropy"]) for r in (runs, stored))
    assert b["value"].tolist() == pytest.approx(a["value"].tolist(), rel=1e-4)
    assert b["step"].tolist() == a["step"].tolist()


def test_nothing_of_the_machine_is_in_it(tmp_path):
    make_run(tmp_path / "runs" / "e" / "a")
    write_results(tmp_path / "r.json", find_runs([tmp_path / "runs"]), made_by="x")
    text = (tmp_path / "r.json").read_text()
    assert str(tmp_path) not in text
    assert f'"{socket.gethostname()}"' not in text


def test_shared_options_are_stored_once(folder):
    write_results(folder / "r.json", find_runs([folder / "runs"]), made_by="x")
    content = json.loads((folder / "r.json").read_text())
    assert content["config"]["data.terms"] == 3
    assert [set(run["config"]) for run in content["runs"]] == [{"seed", "algo.loss.eps_high"}] * 3
    assert [run["state"] for run in content["runs"]] == ["finished", "finished", "failed"]


def test_curves_are_chosen_and_thinned(folder):
    runs = find_runs([folder / "runs"])
    write_results(folder / "r.json", runs, made_by="x", curves=["policy/entropy"], points=7)
    first = read_results(folder / "r.json")[0]
    assert list(first.curves()) == ["policy/entropy"]
    curve = first.curves()["policy/entropy"]
    assert len(curve) <= 7
    full = runs[0].curves(["policy/entropy"])["policy/entropy"].mean
    assert curve.mean[-1] == pytest.approx(np.mean(full[-5:]), rel=1e-4)
    with pytest.raises(UserError, match=r"no update rows; give the run directories"):
        curves_frame([first], ["policy/entropy"], by="update")
    with pytest.raises(UserError, match=r'no run has the metric policy/entrop \(did you mean "policy/entropy"\?\)'):
        write_results(folder / "x.json", runs, made_by="x", curves=["policy/entrop"])


def test_thinning_keeps_the_mean_and_the_end():
    steps = [float(s) for s in range(1, 101)]
    x, y = thinned(steps, steps, 10)
    assert x == y == [5.5 + 10 * i for i in range(10)]
    assert thinned(steps, steps, 100) == (steps, steps)
    x, _ = thinned(steps, steps, 40)  # 34 bins of 3, the first with one
    assert (len(x), x[0], x[-1]) == (34, 1.0, 99.0)
    assert math.isnan(thinned([1, 2], [math.nan, math.nan], 1)[1][0])
    assert thinned([1, 2], [math.nan, 4.0], 1)[1] == [4.0]


def test_what_is_no_results_file(tmp_path):
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(UserError, match=r"is no results file .* analysis/collect.py makes one"):
        read_results(tmp_path / "list.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(UserError, match=r"cannot be read"):
        read_results(tmp_path / "bad.json")
    (tmp_path / "half.json").write_text('{"format": "crucible results 1", "config": {}, "runs": [{}]}')
    with pytest.raises(UserError, match=r"is damaged .*; collect it again"):
        read_results(tmp_path / "half.json")
    with pytest.raises(UserError, match=r'no results file .*lisst.json \(did you mean "list.json"\?\)'):
        read_results(tmp_path / "lisst.json")
