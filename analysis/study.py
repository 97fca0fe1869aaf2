"""Write a study's document, docs/studies/<study>.md, from its committed results; and its figures beside it.

python analysis/study.py study=ce_gppo                                  # from docs/studies/results/ce_gppo*.json
python analysis/study.py study=ce_gppo figures=false check=true         # is the document what its results say?
python analysis/study.py study=ce_gppo runs=runs/ce_gppo-miniature out=/tmp/ce_gppo.md    # of runs that go on
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from crucible.analysis import arguments
from crucible.analysis.figure_definition import read_figure
from crucible.analysis.find import find_runs
from crucible.analysis.paper_figures import draw_figure
from crucible.analysis.study import document, open_study, study_names
from crucible.errors import UserError
from crucible.rundir.atomic import explained, write_text

ROOT = Path(__file__).resolve().parents[1]
FIGURE = re.compile(r"\]\(figures/(?P<name>[\w/.-]+)\.png\)")


def study(
    *, study: str, runs: tuple[str, ...] = (), out: Path | None = None, figures: bool = True, check: bool = False
) -> str:
    opened = open_study(study, ROOT, runs)
    text = document(opened)
    path = out or opened.folder / f"{study}.md"
    if check:
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            raise UserError(f"{path} is not what its results say; run: python analysis/study.py study={study}")
        return f"{path} is what its results say"
    with explained("cannot create", path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)
    lines = [str(path)]
    found = find_runs(opened.roots, repository=ROOT) if figures else []
    for name in dict.fromkeys(FIGURE.findall(text)) if figures else ():
        stem = path.parent / "figures" / name
        drawn = draw_figure(read_figure(name, ROOT / "analysis"), found, stem, formats=("png",))
        lines += [str(drawn.files[0]), *(f"note: {note}" for note in drawn.notes)]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(arguments.run(study, sys.argv[1:], usage=f"{__doc__}\nstudy= {', '.join(study_names(ROOT))}"))
