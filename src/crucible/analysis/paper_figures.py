"""From a figure file and runs to PNG, SVG and a side file that says which runs are behind it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crucible.analysis import style
from crucible.analysis.arms import Arm, assign
from crucible.analysis.figure_definition import FigureDefinition
from crucible.analysis.measured import Measured
from crucible.analysis.runs import Run
from crucible.rundir.atomic import explained, write_text

ENTRY_INCHES = 0.46  # of a legend entry beside its text, and of a character of it
CHARACTER_INCHES = 0.066


@dataclass(frozen=True, slots=True)
class Drawn:
    """The files of a figure and what a reader should know: runs left out, arms without data, fits."""

    files: tuple[Path, ...]
    notes: tuple[str, ...]


def split_unfinished(runs: Iterable[Run], *, unfinished: bool) -> tuple[list[Run], list[Run]]:
    """Runs to draw and runs to leave out; `unfinished` draws those that are not finished too."""
    runs = list(runs)
    usable = [r for r in runs if unfinished or r.state == "finished"]
    return usable, [r for r in runs if r not in usable]


def draw_figure(
    definition: FigureDefinition,
    runs: Sequence[Run],
    stem: Path,
    *,
    formats: Sequence[str] = ("png", "svg"),
    unfinished: bool = False,
) -> Drawn:
    """Draw into `stem`.png, .svg and .json. Only finished runs count unless `unfinished`; the others are named.

    Errors: UserError where a run fits two arms, and where the files cannot be written.
    """
    used, left_out = split_unfinished(runs, unfinished=unfinished)
    arms, others = assign(definition.arms, used)
    with explained("cannot create", stem.parent):
        stem.parent.mkdir(parents=True, exist_ok=True)
    with style.drawing() as pyplot:
        figure, notes = figure_of(pyplot, definition, arms)
        files = style.save(figure, stem, formats)
    notes += [f"left out: {run.name} is {run.state}" for run in left_out]
    notes += [f"in no arm: {run.name}" for run in others]
    side = stem.with_name(f"{stem.name}.json")
    shown = {key for panel in definition.panels for key in panel.show}
    write_text(side, json.dumps(side_file(definition.name, arms, shown, notes), indent=1, ensure_ascii=False) + "\n")
    return Drawn((*files, side), tuple(notes))


def figure_of(pyplot: Any, definition: FigureDefinition, arms: Mapping[str, Arm]) -> tuple[Any, list[str]]:
    """The figure with all its panels and one legend, and the notes of the panels."""
    cache: dict[str, list[Measured]] = {}

    def measured(arm: Arm) -> Sequence[Measured]:
        if arm.key not in cache:
            cache[arm.key] = [Measured(run) for run in arm.runs]
        return cache[arm.key]

    columns = min(definition.columns, len(definition.panels))
    rows = math.ceil(len(definition.panels) / columns)
    width, height = definition.size
    figure, grid = pyplot.subplots(
        rows, columns, figsize=(width * columns, height * rows + 0.4), squeeze=False, layout="constrained"
    )
    notes: list[str] = []
    for axes, panel in zip(grid.flat, definition.panels, strict=False):
        notes += panel.draw(axes, arms, measured)
        if not (axes.lines or axes.collections or axes.patches):
            axes.text(0.5, 0.5, "no runs with these metrics", transform=axes.transAxes, ha="center", color="0.4")
    for axes in list(grid.flat)[len(definition.panels) :]:
        axes.set_axis_off()
    add_legend(figure, list(grid.flat))
    return figure, list(dict.fromkeys(notes))


def side_file(name: str, arms: Mapping[str, Arm], shown: set[str], notes: Sequence[str]) -> dict[str, Any]:
    """What stands behind a figure: of each arm the runs with their seed and code."""
    return {
        "figure": name,
        "arms": {
            key: [
                {
                    "run": run.name,
                    "seed": run.seed,
                    **{n: run.facts.get(n) for n in ("commit", "dirty", "code_version")},
                }
                for run in arm.runs
            ]
            for key, arm in arms.items()
            if key in shown
        },
        "notes": list(notes),
    }


def add_legend(figure: Any, grid: Sequence[Any]) -> None:
    """One legend below all panels, in as many columns as fit; panels with a legend of their own are left out."""
    entries: dict[str, Any] = {}
    for axes in grid:
        if axes.get_legend() is None:
            handles, labels = axes.get_legend_handles_labels()
            entries |= {label: handle for handle, label in zip(handles, labels, strict=True) if label not in entries}
    if not entries:
        return
    entry = ENTRY_INCHES + CHARACTER_INCHES * max(map(len, entries))
    columns = max(1, min(len(entries), int(figure.get_figwidth() / entry)))
    figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=columns)
