"""Draw a figure of a paper from runs: PNG, SVG, and a side file with the run ids.

python analysis/figures.py figure=ce_gppo/entropy                               # of the stored study
python analysis/figures.py figure=ce_gppo/entropy runs=runs/ce_gppo-betas       # of your runs
python analysis/figures.py figure=ce_gppo/betas sweep=ce_gppo/betas             # of a sweep's runs
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from crucible.analysis import arguments
from crucible.analysis.arms import assign
from crucible.analysis.figure_definition import FigureDefinition, figure_names, read_figure
from crucible.analysis.find import find_runs
from crucible.analysis.paper_figures import draw_figure, split_unfinished
from crucible.analysis.runs import Run
from crucible.errors import UserError

ROOT = Path(__file__).resolve().parents[1]


def figures(
    *,
    figure: str,
    runs: tuple[str, ...] = (),
    sweep: tuple[str, ...] = (),
    runs_dir: Path = Path("runs"),
    out: Path = Path("outputs/figures"),
    formats: tuple[Literal["png", "svg", "pdf"], ...] = ("png", "svg"),
    unfinished: bool = False,
) -> str:
    definition = read_figure(figure, ROOT / "analysis")
    roots = [*runs, *(f"sweep:{name}" for name in sweep)] or [str(ROOT / definition.runs)]
    found = find_runs(roots, runs_dir=runs_dir, repository=ROOT)
    refuse_nothing(definition, found, unfinished)
    drawn = draw_figure(definition, found, out / figure, formats=formats, unfinished=unfinished)
    return "\n".join([*(str(file) for file in drawn.files), *(f"note: {note}" for note in drawn.notes)])


def refuse_nothing(definition: FigureDefinition, runs: Sequence[Run], unfinished: bool) -> None:
    """Errors: UserError where no run would be drawn."""
    usable, left_out = split_unfinished(runs, unfinished=unfinished)
    if not usable:
        raise UserError(
            f"figure={definition.name}: nothing to draw: none of the {len(left_out)} runs is finished "
            f"({left_out[0].name} is {left_out[0].state}); unfinished=true draws them as they are"
        )
    arms, others = assign(definition.arms, usable)
    if not any(arm.runs for arm in arms.values()):
        raise UserError(
            f"figure={definition.name}: nothing to draw, none of {len(others)} runs is of its arms: {', '.join(arms)}"
        )


if __name__ == "__main__":
    names = figure_names(ROOT / "analysis")
    sys.exit(arguments.run(figures, sys.argv[1:], usage=f"{__doc__}\nfigure= {', '.join(names)}"))
