"""The figures: what is kept, where verifiers err, and the ceilings. Points with 95 % intervals clustered by problem."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from crucible.analysis import style
from crucible.analysis.statistics.interval import Interval
from crucible.analysis.verification import tables
from crucible.analysis.verification.counts import SuiteCounts
from crucible.analysis.verification.rates import rate
from crucible.analysis.verification.tables import Groups, Suites

WIDTH, HEIGHT, COLUMNS = 3.6, 2.8, 3
TAU = "threshold tau"
SHIFT = 0.06  # of neighbours on an axis of names, so that their intervals do not cover each other


def draw(suites: Suites, chosen: Groups, folder: Path, *, formats: Sequence[str] = ("png", "svg")) -> list[Path]:
    """kept, errors, verifiers and ceilings into `folder`. A figure without anything to show is not drawn."""
    from crucible.analysis.paper_figures import add_legend  # which reads figure files, whose panels are made here

    folder.mkdir(parents=True, exist_ok=True)
    panels: dict[str, list[Any]] = {
        "kept": [lambda axes, s=s, n=n: against_tau(axes, s, "kept", chosen, f"Kept, {n}") for n, s in suites.items()],
        "coverage": [
            lambda axes, s=s, n=n: against_tau(axes, s, "recall", chosen, f"Right ones kept, {n}")
            for n, s in suites.items()
        ],
        "errors": [
            lambda axes: suites_against_tau(axes, suites, "false_reject", "Right programs rejected"),
            lambda axes: suites_against_tau(axes, suites, "false_accept", "Wrong programs accepted"),
            lambda axes: suites_against_tau(axes, suites, "precision", "Right among the accepted"),
        ],
        "verifiers": [lambda axes, s=s, n=n: trade(axes, s, f"Verifiers, {n}") for n, s in suites.items()],
        "ceilings": [
            lambda axes, s=s, n=n, which=which, what=what: against_difficulty(axes, s, which, chosen, f"{what}, {n}")
            for which, what in (("recall", "Coverage"), ("diversity", "Diversity"))
            for n, s in suites.items()
        ],
    }  # fmt: skip
    files: list[Path] = []
    with style.drawing() as pyplot:
        for name, drawn in panels.items():
            columns = min(COLUMNS, len(drawn)) if name != "ceilings" else min(COLUMNS, len(suites))
            rows = math.ceil(len(drawn) / columns)
            figure, grid = pyplot.subplots(
                rows, columns, figsize=(WIDTH * columns, HEIGHT * rows + 0.4), squeeze=False, layout="constrained"
            )
            shown = [panel(axes) for panel, axes in zip(drawn, grid.flat, strict=False)]
            for axes in list(grid.flat)[len(drawn) :]:
                axes.set_axis_off()
            if any(shown):
                add_legend(figure, list(grid.flat))
                files += style.save(figure, folder / name, formats)
            pyplot.close(figure)
    return files


def against_tau(axes: Any, suite: SuiteCounts, name: str, chosen: Groups, title: str) -> bool:
    """One line a difficulty."""
    taus = tables.taus_of(suite)
    drawn = False
    for i, (group, at) in enumerate(chosen.items()):
        points = [(tau, found) for tau, label in taus if (found := rate(suite, label, name, at)) is not None]
        drawn |= _line(axes, points, i, f"difficulty {group}")
    _finish(axes, title, TAU)
    return drawn


def suites_against_tau(axes: Any, suites: Suites, name: str, title: str) -> bool:
    """One line a suite."""
    drawn = False
    for i, (called, suite) in enumerate(suites.items()):
        points = [(t, found) for t, label in tables.taus_of(suite) if (found := rate(suite, label, name)) is not None]
        drawn |= _line(axes, points, i, called)
    _finish(axes, title, TAU)
    return drawn


def against_difficulty(axes: Any, suite: SuiteCounts, name: str, chosen: Groups, title: str) -> bool:
    """One line a verifier: the strictest and a middle threshold, and those that are no threshold alone."""
    drawn, told = False, _told(suite)
    for i, label in enumerate(told):
        points = [
            (place + SHIFT * (i - (len(told) - 1) / 2), found)
            for place, at in enumerate(chosen.values())
            if (found := rate(suite, label, name, at)) is not None
        ]
        drawn |= _line(axes, points, i, label)
    axes.set_xticks(range(len(chosen)), list(chosen))
    _finish(axes, title, "difficulty")
    return drawn


def trade(axes: Any, suite: SuiteCounts, title: str) -> bool:
    """Precision against recall: thresholds joined by a line, other verifiers as marks."""
    path = [
        (rate(suite, label, "recall"), rate(suite, label, "precision"), tau) for tau, label in tables.taus_of(suite)
    ]
    known = [(r, p, tau) for r, p, tau in path if r is not None and p is not None]
    if known:
        _crossed(axes, [(r, p) for r, p, _ in known], 0, "tests, by tau", joined=True)
        for r, p, tau in (known[0], known[-1]):
            axes.annotate(f"{tau:g}", (r.value, p.value), textcoords="offset points", xytext=(5, 4), fontsize=8)
    others = [label for label in suite.verifiers if not label.startswith(("tests@", "sound@"))]
    for i, label in enumerate(others, 1):
        recall, precision = rate(suite, label, "recall"), rate(suite, label, "precision")
        if recall is not None and precision is not None:
            _crossed(axes, [(recall, precision)], i, label, joined=False)
            known.append((recall, precision, math.nan))
    _finish(axes, title, "recall (right ones accepted)")
    axes.set_ylabel("precision")
    return bool(known)


def _told(suite: SuiteCounts) -> list[str]:
    taus = tables.taus_of(suite)
    chosen = [taus[-1][1]] if taus else []
    chosen += [label for tau, label in taus if abs(tau - 0.8) < 1e-9 and label not in chosen]
    return chosen + [label for label in suite.verifiers if not label.startswith(("tests@", "sound@", "all"))]


def _line(axes: Any, points: Sequence[tuple[float, Interval]], i: int, label: str) -> bool:
    if points:
        bars = [[f.value - f.low for _, f in points], [f.high - f.value for _, f in points]]
        axes.errorbar(
            [x for x, _ in points], [f.value for _, f in points], yerr=bars, **style.line_with_marker(i), label=label,
            elinewidth=0.8, capsize=1.5,
        )  # fmt: skip
    return bool(points)


def _crossed(axes: Any, points: Sequence[tuple[Interval, Interval]], i: int, label: str, *, joined: bool) -> None:
    look = style.line_with_marker(i) if joined else style.mark(i) | {"linestyle": "none"}
    bars = {
        f"{side}err": [[f.value - f.low for f in found], [f.high - f.value for f in found]]
        for side, found in (("x", [r for r, _ in points]), ("y", [p for _, p in points]))
    }
    values = [r.value for r, _ in points], [p.value for _, p in points]
    axes.errorbar(*values, **bars, **look, label=label, elinewidth=0.8, capsize=1.5)


def _finish(axes: Any, title: str, x: str) -> None:
    axes.set_title(title)
    axes.set_xlabel(x)
    axes.set_ylabel("share")
    axes.set_ylim(-0.03, 1.03)
