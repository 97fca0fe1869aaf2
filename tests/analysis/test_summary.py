"""Runs are loaded whatever state they are in, and summed up without hiding anything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import crucible.analysis
from crucible.analysis.evaluation import Evaluation, evaluations, paired, powers_up_to
from crucible.analysis.load import find_runs, load_run, load_runs
from crucible.analysis.summary import before_after_table, main
from crucible.errors import UserError
from crucible.rundir import RunDir

from .runs import PROBLEMS, eval_row, make_run, update_rows

SOURCE = str(Path(crucible.analysis.__file__).parents[2])


def test_a_run_as_values(tmp_path):
    run = load_run(make_run(tmp_path / "exp" / "a"))
    assert (run.name, run.state, run.problems) == ("exp/a", "finished", [])
    assert run.config["algo"] == {"beta": 0.5}
    assert run.provenance["seeds"] == {"seed": 1}
    assert run.series("reward/mean") == (
        [*map(float, range(1, 13))],
        [pytest.approx(0.02 * s) for s in range(1, 13)],
    )
    assert len(run.series("policy/loss", x="update")[0]) == 24
    assert "eval/chain/avg@8_low" in run.metric_names("eval")
    assert [e.phase for e in evaluations(run.rows("eval"))] == ["before", "during", "after"]


def test_damaged_and_unfinished_runs_are_listed(tmp_path):
    make_run(tmp_path / "exp" / "good")
    make_run(tmp_path / "exp" / "failed", state="failed")
    make_run(tmp_path / "exp" / "dead", state="running")
    broken = make_run(tmp_path / "exp" / "broken")
    (broken / "config.yaml").write_text("a: [")
    (broken / "status.json").write_text("{")
    with (broken / "metrics.001.jsonl").open("ab") as file:
        file.write(b'garbage\n{"kind":"upd')
    half = tmp_path / "other" / "half"
    half.mkdir(parents=True)
    (half / "config.yaml").write_text("")
    (tmp_path / ".left.tmp-1-aa").mkdir()
    (tmp_path / ".left.tmp-1-aa" / "config.yaml").write_text("a: 1")
    with RunDir.open(tmp_path / "exp" / "live", {"a": 1}, report=lambda line: None):
        runs = {r.path.name: r for r in load_runs(tmp_path)}
    assert {name: r.state for name, r in runs.items()} == {
        "good": "finished", "failed": "failed", "dead": "dead", "broken": "unknown", "half": "unknown",
        "live": "running"
    }  # fmt: skip
    assert [len(r.problems) for r in runs.values()] == [
        3 if r.path.name == "broken" else r.path.name == "half" for r in runs.values()
    ]
    assert len(runs["broken"].metrics) == len(runs["good"].metrics)
    assert [p.name for p in find_runs(tmp_path)] == ["broken", "dead", "failed", "good", "live", "half"]


def test_every_prefix_of_a_run_being_written_can_be_loaded(tmp_path):
    """Take the files of a run away from the newest on: whatever is left loads."""
    path = make_run(tmp_path / "exp" / "a")
    for name in ("status.json", "provenance.json", "metrics.001.jsonl", "config.yaml", "run.lock"):
        (path / name).unlink()
        run = load_run(path)
        assert run.state == "unknown"
        with_metrics = name in ("status.json", "provenance.json")
        assert bool(run.metrics) is with_metrics


def test_nothing_found_names_the_nearest(tmp_path):
    make_run(tmp_path / "runs" / "a", rows=[])
    with pytest.raises(UserError, match=r'no folder .*run to look for runs in \(did you mean "runs"\?\)'):
        load_runs(tmp_path / "run")
    with pytest.raises(UserError, match=r"no run directory"):
        load_run(tmp_path / "runs" / "b")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"no runs in"):
        load_runs(tmp_path / "empty")


def test_the_table_pairs_problems(tmp_path):
    path = make_run(tmp_path / "exp" / "a")
    first, *_, last = evaluations(load_run(path).rows("eval"))
    table = before_after_table(path)
    difference = paired(first, last)
    assert f"chain: {PROBLEMS} problems x 8 samples" in table
    line = next(x for x in table.splitlines() if "chain avg@8" in x)
    assert str(first.avg()) in line
    assert str(last.avg()) in line
    assert f"{difference.value:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]" in line
    assert [x.split()[1] for x in table.splitlines() if " chain pass@" in x] == ["pass@2", "pass@4", "pass@8"]
    assert "before (step 0)" in table
    assert "after (step 12)" in table
    for name in ("true/success", "reward/answer", "policy/preserved_left", "chain/every_step"):
        assert name in table


def test_unfinished_runs_and_reward_models(tmp_path):
    rows = [
        eval_row(0, "before", 0.0),
        *update_rows(1),
        {"kind": "reward_model", "step": 0, "accuracy/every step": 0.875},
    ]
    table = before_after_table(make_run(tmp_path / "exp" / "a", steps=5, state="failed", rows=rows))
    assert "exp/a: failed, step 5" in table
    assert "not yet" in table
    assert next(x for x in table.splitlines() if "accuracy/every step" in x).split()[-1] == "0.875"
    with pytest.raises(UserError, match=r"neither evaluations nor metrics"):
        before_after_table(make_run(tmp_path / "exp" / "b", rows=[]))


def test_runs_without_counts_show_the_intervals_they_have(tmp_path):
    rows = [eval_row(0, "before", 0.0), eval_row(5, "after", 1.0)]
    for row in rows:
        del row["eval/chain/right_of_8"]
    table = before_after_table(make_run(tmp_path / "exp" / "a", rows=rows))
    line = next(x for x in table.splitlines() if "chain/avg@8" in x)
    assert f"[{rows[0]['eval/chain/avg@8_low']:.3f}, " in line


def test_evaluations_that_cannot_be_paired():
    a, b = Evaluation(0, "before", "x", 8, (1, 2)), Evaluation(9, "after", "x", 8, (1, 2, 3))
    with pytest.raises(UserError, match=r"x with 2 and x with 3"):
        paired(a, b)
    with pytest.raises(UserError, match=r"pass@9"):
        a.pass_at(9)
    assert [powers_up_to(n) for n in (1, 2, 6, 8)] == [[], [2], [2, 4, 6], [2, 4, 8]]


def test_the_command(tmp_path, capsys):
    path = make_run(tmp_path / "exp" / "a")
    assert main([str(path)]) == 0
    assert capsys.readouterr().out == before_after_table(path)
    assert main([str(path) + "x"]) == 2
    assert 'did you mean "a"?' in capsys.readouterr().err
    assert main([]) == 2


def test_torch_and_matplotlib_stay_out(tmp_path):
    """Run directories, loggers and the loader are used where loading torch would be a nuisance."""
    script = (
        "import sys, crucible.rundir, crucible.loggers.wandb\n"
        "import crucible.analysis.summary, crucible.analysis.figures\n"
        "heavy = ('torch', 'matplotlib', 'wandb', 'transformers', 'lightning')\n"
        "print([m for m in heavy if m in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": SOURCE},
    )
    assert found.stdout.strip() == "[]"
