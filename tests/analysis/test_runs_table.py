from __future__ import annotations

import json

import pytest

from crucible.analysis.runs_table import facts, table, write
from crucible.errors import UserError
from tests.conftest import ROOT


def test_the_numbers_of_a_run_are_those_of_its_metrics(small_run, tmp_path):
    from crucible.rundir import read_metrics

    path = small_run("algo/filter=keep_all")
    text = write([path], tmp_path / "runs.json")
    found = json.loads((tmp_path / "runs.json").read_text())[0]
    rows = read_metrics(path)
    after = next(row for row in rows if row.get("phase") == "after")
    assert found["after"][0] == after["eval/chain/avg@2"]
    left = [row["policy/preserved_left"] for row in rows if row["kind"] == "update"]
    assert found["preserved_left"] == pytest.approx(sum(left) / len(left))
    assert found["eval"]["eval/chain/reward"] == [rows[0]["eval/chain/reward"], after["eval/chain/reward"]]
    assert text.splitlines()[2].startswith("| ce_gppo-exact | 1 | ")


def test_an_unfinished_run_is_refused(small_run, tmp_path):
    path = small_run("algo/filter=keep_all")
    metrics = path / "metrics.001.jsonl"
    metrics.write_text("".join(metrics.read_text().splitlines(keepends=True)[:3]))
    with pytest.raises(UserError, match="no evaluation before and after"):
        facts(path)


def test_the_readmes_table_is_that_of_the_stored_runs():
    """Every number of the README's results comes from docs/results/main_job.json."""
    runs = json.loads((ROOT / "docs" / "results" / "main_job.json").read_text())
    assert len(runs) >= 6
    assert table(runs) in (ROOT / "README.md").read_text()
    assert all(run["change"][0] > 0.15 for run in runs)  # the promise of the default run, on every seed
