"""A paper's table out of runs, beside the paper's own numbers.

python analysis/table.py table=ce_gppo/miniature
python analysis/table.py table=ce_gppo/miniature runs=docs/studies/results/ce_gppo.json format=latex
python analysis/table.py table=ce_gppo/miniature sweep=ce_gppo/miniature runs_dir=/data/runs out=table.md

runs= takes folders, globs, run directories and results files (analysis/collect.py), several with commas;
format= markdown, latex or csv. Tables are analysis/tables/<paper>/<table>.yaml (docs/analysis.md).
"""

from __future__ import annotations

import sys
from functools import partial, update_wrapper
from pathlib import Path

from crucible.analysis import arguments
from crucible.analysis.tables.program import table

HERE = Path(__file__).resolve().parent

if __name__ == "__main__":
    program = update_wrapper(partial(table, analysis_dir=HERE), table)
    sys.exit(arguments.run(program, sys.argv[1:], usage=__doc__ or ""))
