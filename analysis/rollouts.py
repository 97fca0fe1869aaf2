"""Read what a policy wrote: completions with their rewards, side by side across steps or runs.

python analysis/rollouts.py run=runs/ce_gppo-exact/seed1-9251c9fb26 step=100 correct=false sort=-length
python analysis/rollouts.py run=runs/A run=runs/B step=100                    # two runs
python analysis/rollouts.py run=runs/A step=25,100 format=html out=a.html     # two steps, as a page
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Annotated, Literal

from crucible.analysis import arguments
from crucible.analysis.rollouts import as_jsonl, read, sources
from crucible.analysis.rollouts_show import as_html, as_text
from crucible.rundir.atomic import write_text


def rollouts(
    *,
    run: tuple[Path, ...],
    step: tuple[Annotated[int, ">= 0"], ...] = (),
    correct: bool | None = None,
    contains: str = "",
    lacks: str = "",
    finish_reason: str = "",
    sort: str = "",
    limit: Annotated[int, ">= 0"] = 20,
    format: Literal["text", "html", "jsonl"] = "text",
    out: Path | None = None,
) -> str:
    reading = read(
        sources(run, step),
        correct=correct,
        contains=contains,
        lacks=lacks,
        finish_reason=finish_reason,
        sort=sort,
        limit=limit,
    )
    if format == "text":
        to_terminal = sys.stdout.isatty() and out is None
        width = shutil.get_terminal_size().columns if to_terminal else 160
        text = as_text(reading, width=width, colour=to_terminal)
    else:
        text = as_html(reading) if format == "html" else as_jsonl(reading)
    if out is None:
        return text
    write_text(out, text)
    return str(out)


if __name__ == "__main__":
    sys.exit(arguments.run(rollouts, sys.argv[1:], usage=__doc__ or ""))
