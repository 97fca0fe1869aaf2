"""python analysis/table.py, compare.py and collect.py, as typed; and the points of a sweep as runs."""

from __future__ import annotations

import runpy
import sys

import pytest

from crucible.analysis.find import find_runs
from crucible.analysis.frame import runs_frame
from crucible.analysis.tables.program import built_table
from crucible.rundir.config_file import write_config
from tests.conftest import ROOT

from .small_runs import write_run


@pytest.fixture
def command(monkeypatch, capsys, tmp_path):
    """`command("table", "table=...")` -> (exit code, stdout, stderr), in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(name: str, *arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", [f"analysis/{name}.py", *arguments])
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(ROOT / "analysis" / f"{name}.py"), run_name="__main__")
        shown = capsys.readouterr()
        return int(end.value.code or 0), shown.out, shown.err

    return run


@pytest.fixture
def runs(tmp_path):
    for name, chance in (("a", 1), ("b", 3)):
        for seed in (1, 2):
            right = {"before": [1] * 8, "after": [chance] * 7 + [seed]}
            write_run(tmp_path / "runs" / name / f"s{seed}", seed=seed, right=right,
                      options={"algo.loss.eps_high": 0.2 if name == "a" else 0.28},
                      curves={"policy/entropy": [0.5] * 5})  # fmt: skip
    return tmp_path / "runs"


def test_collect_then_table_and_compare_from_the_file(command, runs, tmp_path):
    code, out, _ = command("collect", f"runs={runs}", "out=small/r.json")
    assert (code, out.splitlines()[0].split(", ")[0]) == (0, "small/r.json: 4 runs (4 finished)")
    code, out, _ = command("table", "table=ce_gppo/main", "runs=small/r.json")
    assert code == 0
    assert "| GRPO | 33.4 | no runs | 28.1 | no runs |" in out
    assert (tmp_path / "outputs/tables/ce_gppo/main.md").read_text() in out
    assert (tmp_path / "outputs/tables/ce_gppo/main.runs.json").is_file()
    code, out, _ = command("compare", f"a={runs}/a", f"b={runs}/b", "out=c.md")
    assert code == 0
    assert "| algo.loss.eps_high | 0.2 | 0.28 |" in out
    assert (tmp_path / "c.md").read_text() == out


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("table", ["table=ce_gppo/mian"], 'error: no table ce_gppo/mian in .* (did you mean "ce_gppo/main"?)'),
        ("table", ["table=ce_gppo/main", "runs=rnus"], 'has no rnus (did you mean "runs"?)'),
        (
            "table",
            ["table=ce_gppo/main", "format=latx"],
            'format=latx: one of markdown, latex, csv (did you mean "latex"?)',
        ),
        ("table", ["tables=x"], 'unknown option tables (did you mean "table"?)'),
        ("compare", ["a=runs/a"], "missing b=..."),
        ("compare", ["a=runs/a", "b=runs/c"], "has no c"),
        ("collect", ["runs=runs"], "missing out=..."),
        ("collect", ["out=x.json"], "no runs found in nowhere"),
        ("collect", ["sweep=ce_gppo/beta", "out=x.json"], 'did you mean "ce_gppo/betas"?'),
    ],
)
def test_mistakes_are_one_line_and_code_2(command, runs, name, arguments, message):
    code, out, err = command(name, *arguments)
    assert code == 2
    assert out == ""
    assert len(err.strip().splitlines()) == 1
    first, _, last = message.partition(" .* ")
    assert first in err
    assert last in err


def test_help_lists_the_options(command):
    for name in ("table", "compare", "collect"):
        code, out, _ = command(name, "--help")
        assert code == 0
        assert f"python analysis/{name}.py" in out
        assert "runs" in out


def test_the_points_of_a_sweep_are_runs_started_or_not(tmp_path):
    runs = find_runs(["sweep:ce_gppo/betas"], runs_dir=tmp_path, repository=ROOT)
    assert {run.state for run in runs} == {"missing"}
    frame = runs_frame(runs)
    assert set(frame["sweep.algo"]) == {"grpo", "dapo", "ce_gppo"}
    chosen = runs[0]
    assert "not started yet" in chosen.problems[0]
    path = tmp_path / "elsewhere" / chosen.facts["run_id"]
    path.mkdir(parents=True)
    write_config(path / "config.yaml", {"seed": 1}, command="x")
    again = find_runs(["sweep:ce_gppo/betas"], runs_dir=tmp_path, repository=ROOT)
    assert [run.state for run in again].count("missing") == len(runs) - 1
    assert again[0].path == str(path)


def test_a_table_of_a_sweep_says_what_was_never_started(tmp_path):
    built = built_table(
        "ce_gppo/miniature", sweep=("ce_gppo/miniature",), runs_dir=tmp_path, analysis_dir=ROOT / "analysis"
    )
    row = next(c for c in built.chosen if c.row.name == "CISPO")
    assert len(row.left_out) == 5
    assert all(line.endswith("(missing)") for line in row.left_out)
    assert {cell.missing for cell in built.cells[[r.name for r in built.definition.rows].index("CISPO")]} == {
        "no finished runs"
    }
