from __future__ import annotations

import json

import pytest

from crucible.analysis.runs_table import facts, table, write
from crucible.errors import UserError
from crucible.rundir import read_metrics
from tests.conftest import ROOT

from .runs import eval_row, make_run, update_rows


def judged(step: int, phase: str, ability: float) -> dict:
    more = {"eval/chain/reward": ability, "eval/chain/reward/answer": ability / 2, "eval/chain/true/every step": 0.25}
    return {**eval_row(step, phase, ability), **more}


def made(path, *ends):
    return make_run(path, steps=20, rows=[judged(0, "before", -1.0), *(r for s in range(1, 21) for r in update_rows(s)),
                                          *ends])  # fmt: skip


def check(path, text, stored):
    """`stored` is what `path` holds of metrics, and its line is in `text`."""
    rows = read_metrics(path)
    updates = [row for row in rows if row["kind"] == "update"]
    before, after = (next(row for row in rows if row.get("phase") == phase) for phase in ("before", "after"))
    avg = next(name for name in after if "avg@" in name)
    assert [stored[phase][0] for phase in ("before", "after")] == pytest.approx([before[avg], after[avg]])
    assert stored["change"][0] == pytest.approx(after[avg] - before[avg])
    left = [row["policy/preserved_left"] for row in updates]
    assert stored["preserved_left"] == pytest.approx(sum(left) / len(left))
    last = [row["policy/entropy"] for row in updates[-max(1, len(updates) // 10) :]]
    assert stored["entropy_last"] == pytest.approx(sum(last) / len(last))
    assert stored["eval"]["eval/chain/reward"] == [before["eval/chain/reward"], after["eval/chain/reward"]]
    assert text.splitlines()[2].startswith(f"| {path.parent.name} | 1 | ")


def test_the_numbers_of_a_run_are_those_of_its_metrics(tmp_path):
    path = made(tmp_path / "ce_gppo-exact" / "a", judged(20, "after", 1.0))
    text = write([path], tmp_path / "runs.json")
    (stored,) = json.loads((tmp_path / "runs.json").read_text())
    check(path, text, stored)
    assert set(stored["eval"]) == {"eval/chain/reward", "eval/chain/reward/answer", "eval/chain/true/every step"}


@pytest.mark.slow
def test_a_run_as_train_py_writes_it(small_run, tmp_path):
    path = small_run("algo/filter=keep_all")
    text = write([path], tmp_path / "runs.json")
    check(path, text, json.loads((tmp_path / "runs.json").read_text())[0])


def test_an_unfinished_run_is_refused(tmp_path):
    with pytest.raises(UserError, match="no evaluation before and after"):
        facts(made(tmp_path / "e" / "a"))
    with pytest.raises(UserError, match="no evaluation before and after"):
        facts(made(tmp_path / "e" / "b", judged(20, "during", 1.0)))


def test_the_readmes_table_is_that_of_the_stored_runs():
    """Every number of the README's results comes from docs/results/main_job.json."""
    runs = json.loads((ROOT / "docs" / "results" / "main_job.json").read_text())
    assert len(runs) >= 6
    assert table(runs) in (ROOT / "README.md").read_text()
    assert all(run["change"][0] > 0.15 for run in runs)  # the promise of the default run, on every seed
