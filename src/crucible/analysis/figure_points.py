"""Panels of a paper's figure that compare ends of runs: pass@k, one value an arm, token kinds, the R(H) fit.

The shape of these functions is that of `figure_curves`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from crucible.analysis import style
from crucible.analysis.arms import Arm
from crucible.analysis.bands import mean_and_half
from crucible.analysis.entropy_fit import fit
from crucible.analysis.evaluation import powers_up_to
from crucible.analysis.figure_curves import KINDS, SEEDS_OF_A_BAND, finish, opacity
from crucible.analysis.measured import Measured
from crucible.analysis.scalars import scalar
from crucible.errors import UserError


def pass_at_k(
    axes: Any,
    arms: Sequence[Arm],
    measured: Callable[[Arm], Sequence[Measured]],
    *,
    title: str = "pass@k after training",
    before: bool = True,
    phase: str = "after",
) -> list[str]:
    """Unbiased pass@k over k, of the last evaluation with right answers by problem; mean over seeds.

    `before` also draws the start policy, from the first evaluations of all runs. phase="before": the start policies
    alone, arm by arm, where arms start differently.
    """
    if phase not in ("after", "before"):
        raise UserError(f"pass_at_k: phase={phase}: after or before")
    notes: list[str] = []
    starts = []
    for arm in arms:
        ends = [m.evaluations[0 if phase == "before" else -1] for m in measured(arm) if len(m.evaluations) > 1]
        starts += [m.evaluations[0] for m in measured(arm) if len(m.evaluations) > 1]
        if not ends:
            notes.append(
                f"{arm.label}: no evaluation by problem after training" if arm.runs else f"{arm.label}: no runs"
            )
            continue
        ks = [1, *powers_up_to(min(e.n for e in ends))]
        mean, half = mean_and_half([[e.by_problem(k).mean() for k in ks] for e in ends])
        look = style.line_with_marker(arm.place)
        axes.plot(ks, mean, **look, label=f"{arm.label} ({len(ends)})")
        if len(ends) >= SEEDS_OF_A_BAND:
            low, high = np.clip(mean - half, 0, 1), np.clip(mean + half, 0, 1)
            axes.fill_between(ks, low, high, color=look["color"], alpha=opacity(len(arms)), linewidth=0)
    if before and starts and phase == "after":
        ks = [1, *powers_up_to(min(e.n for e in starts))]
        mean, _ = mean_and_half([[e.by_problem(k).mean() for k in ks] for e in starts])
        axes.plot(ks, mean, color="0.55", linestyle=":", marker="x", label="before training")
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    finish(axes, title, "pass@k", "", x="k")
    return notes


def dots(
    axes: Any,
    arms: Sequence[Arm],
    measured: Callable[[Arm], Sequence[Measured]],
    *,
    value: str,
    title: str,
    x: str,
) -> list[str]:
    """One value a run (see `scalars`): seeds as small marks, mean and, from three on, the 95 % interval over seeds."""
    notes = []
    shown = [arm for arm in arms if arm.runs]
    for row, arm in enumerate(shown):
        values = np.array([v for m in measured(arm) if (v := scalar(m, value)) is not None])
        if not len(values):
            notes.append(f"{arm.label}: no run has {value}")
            continue
        mean, half = mean_and_half(values)
        look = style.line(arm.place)
        axes.plot(values, np.full(len(values), row - 0.22), "|", color=look["color"], markersize=5, alpha=0.8)
        bar = [[float(half)], [float(half)]] if len(values) >= SEEDS_OF_A_BAND else None
        axes.errorbar([mean], [row], xerr=bar, **style.mark(arm.place), capsize=3, markersize=5)
    axes.set_yticks(range(len(shown)), [f"{arm.label} ({len(arm.runs)})" for arm in shown])
    axes.set_ylim(len(shown) - 0.5, -0.6)
    finish(axes, title, "", "", x=x)
    return notes + [f"{arm.label}: no runs" for arm in arms if not arm.runs]


def quadrant_bars(
    axes: Any,
    arms: Sequence[Arm],
    measured: Callable[[Arm], Sequence[Measured]],
    *,
    of: str = "policy/{}",
    title: str = "Token kinds",
    y: str = "share of tokens",
) -> list[str]:
    """Mean over training of the four token kinds (2509.20712), arm by arm. `of` as in `figure_curves.quadrants`."""
    notes: list[str] = []
    shown: list[tuple[Arm, Any, Any]] = []
    for arm in arms:
        rows = [[scalar(m, f"mean({of.format(kind)})") for kind in KINDS] for m in measured(arm)]
        complete = [[v for v in row if v is not None] for row in rows if None not in row]
        if complete:
            shown.append((arm, *mean_and_half(complete)))
        else:
            missing = of.format("pa_hp")
            notes.append(f"{arm.label}: no run has {missing}" if arm.runs else f"{arm.label}: no runs")
    width = 0.8 / len(KINDS)
    for i, label in enumerate(KINDS.values()):
        places = np.arange(len(shown)) + (i - 1.5) * width
        heights, halves = [mean[i] for _, mean, _ in shown], [half[i] for _, _, half in shown]
        errors = None if np.isnan(halves).any() else halves
        axes.bar(
            places, heights, width, yerr=errors, label=label, facecolor=style.COLOURS[i], hatch=style.HATCHES[i],
            edgecolor="white", linewidth=0.4, error_kw={"elinewidth": 0.8, "capsize": 1.5},
        )  # fmt: skip
    axes.set_xticks(range(len(shown)), [entry[0].label for entry in shown], rotation=30, ha="right")
    finish(axes, title, y, "", x="")
    axes.grid(axis="x", visible=False)
    if shown:
        top = axes.get_ylim()[1]
        axes.set_ylim(0, 1.3 * top)  # room for the legend above the bars
        axes.legend(loc="upper center", ncols=2)
    return notes


def exchange(
    axes: Any,
    arms: Sequence[Arm],
    measured: Callable[[Arm], Sequence[Measured]],
    *,
    title: str = "Entropy and performance",
    each: bool = False,
) -> list[str]:
    """Accuracy against entropy at every evaluation, with the fit R = -a exp(H) + b (2505.22617).

    `each` fits every arm by itself instead of all together; a, b and R^2 are in the notes.
    """
    notes, everything, note = [], [], ""
    for arm in arms:
        points = [m.exchange() for m in measured(arm)]
        h, r = np.concatenate([p[0] for p in points] or [[]]), np.concatenate([p[1] for p in points] or [[]])
        if not len(h):
            notes.append(f"{arm.label}: no evaluations with an entropy" if arm.runs else f"{arm.label}: no runs")
            continue
        everything.append((h, r))
        look = style.line(arm.place)
        axes.plot(h, r, **style.mark(arm.place), linestyle="none", alpha=0.6, label=f"{arm.label} ({len(arm.runs)})")
        if each:
            notes += _fitted(axes, h, r, arm.label, look["color"], look["linestyle"])
    if everything and not each:
        h, r = (np.concatenate(part) for part in zip(*everything, strict=True))
        fitted = _fitted(axes, h, r, "all arms", "black", "-")
        notes += fitted
        note = fitted[0].removeprefix("all arms: ")
    finish(axes, title, "held-out accuracy", note, x="entropy (nats per token)")
    return notes


def _fitted(axes: Any, h: Any, r: Any, label: str, colour: str, dash: Any) -> list[str]:
    try:
        found = fit(h, r)
    except UserError as error:
        return [f"{label}: {error}"]
    x = np.linspace(h.min(), h.max(), 100)
    axes.plot(x, found(x), color=colour, linestyle=dash, linewidth=1.0)
    return [f"{label}: {found}"]
