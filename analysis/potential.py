"""The reasoning potential Phi of runs: P(correct), expected attempts until success, pass@k (CoTP, arXiv 2509.21124).

python analysis/potential.py runs=runs/grpo-exact                        # before and after training
python analysis/potential.py runs=docs/studies/results/ce_gppo.json phase=after format=csv out=potential.csv
python analysis/potential.py sweep=cotp/miniature data=cot phase=before

runs= and sweep= as in analysis/table.py; format= markdown, csv or jsonl (one line for each k).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

from crucible.analysis import arguments
from crucible.analysis.find import find_runs
from crucible.analysis.potential import as_csv, as_jsonl, as_text, potentials
from crucible.rundir.atomic import write_text

HERE = Path(__file__).resolve().parent


def potential(
    *,
    runs: tuple[str, ...] = (),
    sweep: tuple[str, ...] = (),
    phase: Literal["before", "after", "both"] = "both",
    data: str | None = None,
    format: Literal["markdown", "csv", "jsonl"] = "markdown",
    out: Path | None = None,
    runs_dir: Path = Path("runs"),
) -> str:
    found = find_runs([*runs, *(f"sweep:{name}" for name in sweep)], runs_dir=runs_dir, repository=HERE.parent)
    text = {"markdown": as_text, "csv": as_csv, "jsonl": as_jsonl}[format](potentials(found, phase, data))
    if out is None:
        return text
    write_text(out, text if text.endswith("\n") else text + "\n")
    return str(out)


if __name__ == "__main__":
    sys.exit(arguments.run(potential, sys.argv[1:], usage=__doc__ or ""))
