"""Panels of a paper's figure that run over training: one line an arm, mean and 95 % interval over its seeds.

A panel is a function of its axes and its arms; its keyword-only parameters are what a figure file may set.
It returns notes for the person at the terminal, e.g. which arm has no such metric.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from crucible.analysis import style
from crucible.analysis.arms import Arm
from crucible.analysis.bands import Band, band
from crucible.analysis.curves import single, window_of
from crucible.analysis.measured import Measured

STEP = "rollout step"
SEEDS_OF_A_BAND = 3  # of two the t-interval reaches twelve standard errors to each side: it would hide all else
KINDS = {"pa_hp": "A > 0, high p", "pa_lp": "A > 0, low p", "na_hp": "A < 0, high p", "na_lp": "A < 0, low p"}


def curves(
    axes: Any,
    arms: Sequence[Arm],
    measured: Callable[[Arm], Sequence[Measured]],
    *,
    metric: str,
    title: str,
    y: str,
    smooth: int | None = None,
    log: bool = False,
    zero: bool = False,
) -> list[str]:
    """A metric, or a quotient "a / b" of two, over rollout steps.

    `smooth` is the width of the running mean in steps (default: by length); `zero` lets the y axis begin at 0.
    """
    notes, window, lowest = [], 1, math.inf
    for arm in arms:
        found = [c for m in measured(arm) if (c := m.curve(metric)) is not None]
        if found:
            window = smooth or window_of(min(map(len, found)))
        drawn = band(found, window=window)
        if drawn is None:
            notes.append(f"{arm.label}: no run has {metric}" if arm.runs else f"{arm.label}: no runs")
        else:
            draw(axes, drawn, arm, f"{arm.label} ({drawn.n})", faint=len(arms))
            lowest = min(lowest, float(drawn.mean.min()))
    if log:
        axes.set_yscale("log")
    elif zero or axes.get_ylim()[0] < 0 <= lowest:  # an interval below 0 of what cannot be
        axes.set_ylim(bottom=0)
    finish(axes, title, y, "" if window <= 1 else f"mean of {window} steps")
    return notes


def accuracy(
    axes: Any,
    arms: Sequence[Arm],
    measured: Callable[[Arm], Sequence[Measured]],
    *,
    data: str | None = None,
    title: str = "Held-out accuracy",
) -> list[str]:
    """avg@n on the held-out problems at every evaluation. `data` names one of several data sets."""
    notes, names = [], set()
    for arm in arms:
        found = []
        for m in measured(arm):
            scores = [s for s in m.scores if data is None or s.data == data]
            if scores:
                names |= {f"{s.data} avg@{s.n}" for s in scores}
                points = {s.step: s.value for s in scores}  # "during" and "after" may share the last step
                steps, values = np.array(sorted(points)), np.array([points[s] for s in sorted(points)])
                found.append(single(steps, values))
        drawn = band(found)
        if drawn is None:
            notes.append(f"{arm.label}: no evaluations" if arm.runs else f"{arm.label}: no runs")
        else:
            draw(axes, drawn, arm, f"{arm.label} ({drawn.n})", every_point=True, faint=len(arms))
    finish(axes, title, ", ".join(sorted(names)) or "avg@n", "")
    if len(names) > 1:
        notes.append(f"evaluations differ between the runs: {', '.join(sorted(names))}")
    return notes


def quadrants(
    axes: Any,
    arms: Sequence[Arm],
    measured: Callable[[Arm], Sequence[Measured]],
    *,
    arm: str,
    of: str = "policy/{}",
    title: str = "",
    y: str = "share of tokens",
    smooth: int | None = None,
) -> list[str]:
    """The four token kinds (sign of the advantage x probability, 2509.20712) of ONE arm over training.

    `of` is the metric's name with {} for pa_hp, pa_lp, na_hp, na_lp: "policy/{}" counts tokens,
    "policy/mass_{}" adds up their gradients.
    """
    (chosen,) = [a for a in arms if a.key == arm]
    notes = []
    for i, (kind, label) in enumerate(KINDS.items()):
        found = [c for m in measured(chosen) if (c := m.curve(of.format(kind))) is not None]
        drawn = band(found, window=smooth or window_of(min(map(len, found), default=0)))
        if drawn is None:
            notes.append(f"{chosen.label}: no run has {of.format(kind)}")
        else:
            plot(axes, drawn, i, label)
    finish(axes, title or chosen.label, y, "")
    if not notes:
        axes.set_ylim(bottom=0)
        own_legend(axes)
    return notes


def own_legend(axes: Any) -> None:
    """A legend inside the axes, with room made above the lines so that it covers none of them."""
    bottom, top = axes.get_ylim()
    axes.set_ylim(bottom, bottom + 1.35 * (top - bottom))
    axes.legend(loc="upper center", ncols=2)


def draw(axes: Any, drawn: Band, arm: Arm, label: str, *, every_point: bool = False, faint: int = 1) -> None:
    plot(axes, drawn, arm.place, label, every_point=every_point, faint=faint)


def plot(axes: Any, drawn: Band, place: int, label: str, *, every_point: bool = False, faint: int = 1) -> None:
    """The line of a band with a few markers (all of them for evaluations), and its interval.

    `faint` is the number of bands in the panel: more than a handful in full tone would hide the lines.
    """
    look = style.line_with_marker(place)
    every = 1 if every_point or len(drawn) < 8 else (place * len(drawn) // 40 % 7, max(1, len(drawn) // 6))
    axes.plot(drawn.steps, drawn.mean, **look, markevery=every, label=label)
    if drawn.n >= SEEDS_OF_A_BAND:
        axes.fill_between(drawn.steps, drawn.low, drawn.high, color=look["color"], alpha=opacity(faint), linewidth=0)


def opacity(bands: int) -> float:
    """Of each of several intervals in one panel."""
    return min(0.13, 0.6 / bands)


def finish(axes: Any, title: str, y: str, note: str, x: str = STEP) -> None:
    axes.set_title(title)
    if note:
        axes.set_title(note, loc="right", fontsize=7, fontweight="normal", color="0.35")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
