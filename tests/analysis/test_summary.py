"""A run is summed up without hiding anything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import crucible.analysis
from crucible.analysis.evaluation import Evaluation, evaluations, paired, powers_up_to
from crucible.analysis.find import one_run
from crucible.analysis.summary import before_after_table, main
from crucible.errors import UserError

from .runs import PROBLEMS, eval_row, make_run, update_rows

SOURCE = str(Path(crucible.analysis.__file__).parents[2])


def test_the_table_pairs_problems(tmp_path):
    path = make_run(tmp_path / "exp" / "a")
    first, *_, last = evaluations(one_run(path).rows("eval"))
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


def test_damage_is_said_once_below_the_table(tmp_path):
    path = make_run(tmp_path / "exp" / "a", state="running")
    (path / "config.yaml").write_text("a: [")
    with (path / "metrics.001.jsonl").open("ab") as file:
        file.write(b'garbage\n{"kind":"upd')
    table = before_after_table(path)
    assert table.startswith("exp/a: dead, step 12")
    notes = [line for line in table.splitlines() if line.startswith("note: ")]
    assert len(notes) == 2
    assert "config.yaml cannot be read" in notes[0]
    assert "the line is left out" in notes[1]


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
