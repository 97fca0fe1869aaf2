"""The figures of one run, drawn from its metrics alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from crucible.analysis import panels, style
from crucible.analysis.find import one_run
from crucible.analysis.measured import Measured
from crucible.rundir.atomic import explained

Panel = Callable[[Any, Measured], bool]

# File name -> panel. A panel that finds none of its metrics draws nothing, and its figure is absent.
FIGURES: dict[str, Panel] = {
    "reward": panels.reward,
    "accuracy": panels.accuracy,
    "rewarded_and_true": panels.rewarded_and_true,
    "entropy": panels.entropy,
    "preserved": panels.preserved,
    "clip": panels.clip,
    "kl": panels.kl,
    "length": panels.length,
    "shares": panels.shares,
    "loss": panels.loss,
    "gradient": panels.gradient,
    "time": panels.time,
}


def draw_run_figures(run_dir: Path | str, *, formats: Sequence[str] = ("png", "svg")) -> list[Path]:
    """Draw what the run's metrics allow into figures/, each panel by itself and all in one overview.

    Returns the files written; an empty list for a run without metrics. Errors: UserError when `run_dir`
    is no directory or figures/ cannot be written.
    """
    run = Measured(one_run(run_dir))
    folder = Path(run_dir) / "figures"
    written: list[Path] = []
    with style.drawing() as pyplot:
        present = []
        for name, panel in FIGURES.items():
            figure, axes = pyplot.subplots(figsize=(5.2, 3.4))
            figure.subplots_adjust(left=0.155, right=0.97, bottom=0.14, top=0.91)
            if panel(axes, run):
                with explained("cannot create", folder):
                    folder.mkdir(exist_ok=True)
                written += style.save(figure, folder / name, formats)
                present.append(panel)
            pyplot.close(figure)
        if present:
            written += style.save(_overview(pyplot, run, present), folder / "overview", formats)
    return written


def _overview(pyplot: Any, run: Measured, present: list[Panel]) -> Any:
    columns = min(3, len(present))
    rows = math.ceil(len(present) / columns)
    figure, grid = pyplot.subplots(rows, columns, figsize=(4.6 * columns, 3.2 * rows + 0.4), squeeze=False)
    height = 3.2 * rows + 0.4  # inches, as all margins here: a layout engine would draw everything twice
    figure.subplots_adjust(
        left=0.8 / (4.6 * columns),
        right=1 - 0.15 / (4.6 * columns),
        bottom=0.5 / height,
        top=1 - 0.7 / height,
        wspace=0.28,
        hspace=0.34,
    )
    for axes, panel in zip(grid.flat, present, strict=False):
        panel(axes, run)
    for axes in list(grid.flat)[len(present) :]:
        axes.set_axis_off()
    figure.suptitle(
        f"{run.run.name} ({run.run.state})",
        x=0.01,
        y=1 - 0.12 / height,
        ha="left",
        va="top",
        fontsize=11,
        fontweight="bold",
    )
    return figure
