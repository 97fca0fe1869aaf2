"""Finished runs side by side, as Markdown.

python analysis/runs_table.py runs/ce_gppo-exact/* --save docs/results/mine.json
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from crucible.analysis.arguments import USER_ERROR
from crucible.analysis.runs_table import facts, table, write
from crucible.errors import UserError
from crucible.visible import visible

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Finished runs side by side, as Markdown.")
    parser.add_argument("runs", nargs="+", type=Path, help="run directories")
    parser.add_argument("--save", type=Path, help="also store the numbers here, as JSON")
    given = parser.parse_args()
    try:
        print(write(given.runs, given.save) if given.save else table([facts(run) for run in given.runs]))
    except UserError as error:
        print(f"error: {visible(str(error))}", file=sys.stderr)
        sys.exit(USER_ERROR)
