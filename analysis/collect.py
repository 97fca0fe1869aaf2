"""Of many runs what tables, figures and claims need, in one small file that can be committed.

python analysis/collect.py runs=runs/ce_gppo-miniature out=docs/studies/results/ce_gppo.json
python analysis/collect.py sweep=ce_gppo/miniature runs_dir=/data/runs curves=policy/entropy,reward/* out=small.json

The file then stands in for the run directories: analysis/table.py ... runs=docs/studies/results/ce_gppo.json.
curves= metric names or patterns; points= the most points a curve keeps.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

from crucible.analysis import arguments
from crucible.analysis.find import find_runs
from crucible.analysis.results import CURVES, write_results
from crucible.rundir.atomic import explained
from crucible.rundir.provenance import command_line

HERE = Path(__file__).resolve().parent


def collect(
    *,
    runs: tuple[str, ...] = (),
    sweep: tuple[str, ...] = (),
    out: Path,
    curves: tuple[str, ...] = CURVES,
    points: Annotated[int, ">= 1"] = 100,
    runs_dir: Path = Path("runs"),
) -> str:
    found = find_runs([*runs, *(f"sweep:{name}" for name in sweep)], runs_dir=runs_dir, repository=HERE.parent)
    with explained("cannot write", out):
        out.parent.mkdir(parents=True, exist_ok=True)
        write_results(out, found, made_by=command_line(), curves=curves, points=points)
    states = ", ".join(f"{count} {state}" for state, count in Counter(run.state for run in found).most_common())
    damaged = [f"{run.name}: {problem}" for run in found for problem in run.problems]
    head = f"{out}: {len(found)} runs ({states}), {out.stat().st_size / 1e3:.0f} kB"
    return "\n".join([head, *damaged])


if __name__ == "__main__":
    sys.exit(arguments.run(collect, sys.argv[1:], usage=__doc__ or ""))
