"""Two runs, or two groups of runs: what differs in config, in curves, in outcome.

python analysis/compare.py a=runs/ce_gppo-exact/seed1-9251c9fb26 b=runs/dapo/seed1-1f0a2b3c4d
python analysis/compare.py a="runs/grpo/*" b="runs/ce_gppo/*" metrics=policy/entropy,reward/mean window=0.2

a= and b= take run directories, folders, globs and results files, several with commas.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from crucible.analysis import arguments
from crucible.analysis.compare import compare
from crucible.analysis.compare_text import as_markdown
from crucible.analysis.find import find_runs
from crucible.rundir.atomic import write_text


def comparison(
    *,
    a: tuple[str, ...],
    b: tuple[str, ...],
    metrics: tuple[str, ...] = (),
    window: Annotated[float, "> 0, <= 1"] = 0.1,
    level: Annotated[float, "> 0, < 1"] = 0.95,
    out: Path | None = None,
) -> str:
    text = as_markdown(compare(find_runs(a), find_runs(b), metrics=metrics, window=window, level=level))
    if out is not None:
        write_text(out, text)
    return text


if __name__ == "__main__":
    sys.exit(arguments.run(comparison, sys.argv[1:], usage=__doc__ or ""))
