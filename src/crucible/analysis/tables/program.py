"""`python analysis/table.py`: build a table and print it; the text and its side file go to files too."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from crucible.analysis.find import find_runs
from crucible.analysis.tables.build import Built, build
from crucible.analysis.tables.definition import read_table
from crucible.analysis.tables.provenance import side_file
from crucible.analysis.tables.render import as_csv, latex, markdown
from crucible.rundir.atomic import explained, write_text
from crucible.rundir.provenance import command_line

Format = Literal["markdown", "latex", "csv"]
RENDER = {"markdown": (markdown, "md"), "latex": (latex, "tex"), "csv": (as_csv, "csv")}


def table(
    *,
    table: str,
    runs: tuple[str, ...] = (),
    sweep: tuple[str, ...] = (),
    format: Format = "markdown",
    out: Path | None = None,
    allow_mixed: bool = False,
    runs_dir: Path = Path("runs"),
    analysis_dir: Path = Path("analysis"),
    seed: int = 0,
) -> str:
    """The text of table `<paper>/<table>`, also stored in `out` (default outputs/tables/<paper>/<table>.<format>)."""
    built = built_table(table, runs=runs, sweep=sweep, allow_mixed=allow_mixed, runs_dir=runs_dir,
                        analysis_dir=analysis_dir, seed=seed)  # fmt: skip
    render, suffix = RENDER[format]
    text = render(built)
    path = out or Path("outputs") / "tables" / f"{table}.{suffix}"
    side = path.with_suffix(".runs.json")
    with explained("cannot write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)
        write_text(side, side_file(built, command_line()))
    return f"{text}\nstored in {path}; runs, commits and tests of every cell in {side}\n" if format != "csv" else text


def built_table(
    name: str,
    *,
    runs: tuple[str, ...] = (),
    sweep: tuple[str, ...] = (),
    allow_mixed: bool = False,
    runs_dir: Path = Path("runs"),
    analysis_dir: Path = Path("analysis"),
    seed: int = 0,
) -> Built:
    """The table of these runs; of those its definition names when none are given.

    Errors: UserError for everything that `definition`, `find_runs` and `build` refuse.
    """
    definition = read_table(name, analysis_dir)
    roots = [*runs, *(f"sweep:{s}" for s in sweep)] or list(definition.runs) or [str(runs_dir)]
    found = find_runs(roots, runs_dir=runs_dir, repository=analysis_dir.parent)
    return build(definition, found, analysis_dir, allow_mixed=allow_mixed, seed=seed)
