"""Rows that come from the runs themselves, and their order."""

from __future__ import annotations

import pytest

from crucible.analysis.find import find_runs
from crucible.analysis.results import write_results
from crucible.analysis.tables.program import built_table
from crucible.errors import UserError

from .small_runs import write_run

TABLE = """\
baseline: "0.2"
rows_by: algo.loss.eps_high
sort_by: avg@4
columns:
  avg@4: {metric: avg@4, percent: true}
  pass@4: {metric: pass@4}
"""
RIGHT = {0.2: [2, 2, 1, 1], 0.28: [4, 3, 2, 1], 0.3: [1, 0, 0, 0]}  # right answers of each problem


@pytest.fixture
def analysis(tmp_path):
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "all.yaml").write_text(TABLE)
    for eps, counts in RIGHT.items():
        for seed in (1, 2):
            options = {"algo.loss.eps_high": eps}
            write_run(tmp_path / "runs" / "e" / f"{eps}-{seed}", seed=seed, options=options, right={"after": counts})
    return tmp_path


def rows(analysis, **edits):
    text = TABLE
    for old, new in edits.values():
        assert old in text
        text = text.replace(old, new)
    (analysis / "tables" / "all.yaml").write_text(text)
    built = built_table("all", runs=(str(analysis / "runs"),), analysis_dir=analysis)
    return [row.name for row in built.definition.rows], built


def test_a_row_for_each_value_the_best_first(analysis):
    names, built = rows(analysis)
    assert names == ["0.28", "0.2", "0.3"]
    assert [round(row[0].estimate.value, 4) for row in built.cells] == [0.625, 0.375, 0.0625]
    assert [chosen.row.name for chosen in built.chosen] == names


def test_lower_may_be_better_and_rows_without_a_value_come_last(analysis):
    more = "columns:\n", "rows:\n  none: {where: {algo.loss.eps_high: 0.9}}\ncolumns:\n"
    worst_first = "avg@4: {metric: avg@4, ", "avg@4: {metric: avg@4, better: lower, "
    assert rows(analysis, a=more, b=worst_first)[0] == ["0.3", "0.2", "0.28", "none"]


def test_a_results_file_gives_the_same_rows(analysis):
    write_results(analysis / "r.json", find_runs([str(analysis / "runs")]), made_by="test")
    built = built_table("all", runs=(str(analysis / "r.json"),), analysis_dir=analysis)
    assert [row.name for row in built.definition.rows] == ["0.28", "0.2", "0.3"]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (("rows_by: algo.loss.eps_high", "rows_by: algo.los"), r"rows_by algo.los: no run has this option"),
        (("sort_by: avg@4", "sort_by: avg4"), r'sort_by avg4: no such column .*"avg@4"'),
        (('baseline: "0.2"', 'baseline: "0.25"'), r"baseline 0.25: no such row"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(analysis, edit, message):
    with pytest.raises(UserError, match=message):
        rows(analysis, a=edit)
