"""One HTML page of many runs: arms, tables, figures, configs, provenance. It needs no network and no other file.

python analysis/report.py sweep=ce_gppo/betas
python analysis/report.py runs='runs/ce_gppo-*' out=report.html
python analysis/report.py runs=docs/studies/results/ce_gppo.json arms=ce_gppo figures=ce_gppo/entropy
"""

from __future__ import annotations

import sys
from pathlib import Path

from crucible.analysis import arguments
from crucible.analysis.find import find_runs
from crucible.analysis.report import page
from crucible.errors import UserError
from crucible.rundir.atomic import explained, write_text
from crucible.rundir.provenance import command_line

ROOT = Path(__file__).resolve().parents[1]


def report(
    *,
    runs: tuple[str, ...] = (),
    sweep: tuple[str, ...] = (),
    arms: str = "",
    tables: tuple[str, ...] = (),
    figures: tuple[str, ...] = (),
    title: str = "",
    runs_dir: Path = Path("runs"),
    out: Path | None = None,
    unfinished: bool = False,
) -> str:
    roots = [*runs, *(f"sweep:{name}" for name in sweep)]
    if not roots:
        raise UserError("which runs? give runs=FOLDER (or a glob, or a results file) or sweep=NAME")
    found = find_runs(roots, runs_dir=runs_dir, repository=ROOT)
    name = title or ", ".join([*sweep, *runs])
    text = page(
        name,
        found,
        analysis_dir=ROOT / "analysis",
        arms=arms,
        tables=tables,
        figures=figures,
        unfinished=unfinished,
        made_by=command_line(),
    )
    stem = "-".join(sweep or [Path(runs[0]).stem.strip("*") or "runs"]).replace("/", "-")
    path = out or Path("outputs/reports") / f"{stem}.html"
    with explained("cannot create", path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)
    return str(path)


if __name__ == "__main__":
    sys.exit(arguments.run(report, sys.argv[1:], usage=__doc__ or ""))
