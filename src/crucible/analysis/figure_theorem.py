"""Panels of the entropy theorem: exact on a tabular softmax, and its direction on trained models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, get_args

import numpy as np

from crucible.analysis import style
from crucible.analysis.arms import Arm
from crucible.analysis.entropy_theorem import Rule, tabular_checks
from crucible.analysis.entropy_theorem_runs import COVARIANCE, WINDOW, Pairs, agreement, pairs_of
from crucible.analysis.figure_curves import finish
from crucible.analysis.measured import Measured
from crucible.errors import UserError


def theorem_limit(
    axes: Any, arms: Sequence[Arm], measured: Callable[[Arm], Sequence[Measured]], *, title: str = "Tabular softmax"
) -> list[str]:
    """Relative error of the predicted entropy change against the step size: a line of slope 1, exact for eta -> 0."""
    notes = []
    for i, rule in enumerate(get_args(Rule)):
        checks = tabular_checks(rule=rule)
        etas, errors = [c.eta for c in checks], [c.relative_error for c in checks]
        axes.plot(etas, errors, **style.line_with_marker(i), label=f"{rule} gradient")
        order = np.polyfit(np.log(etas[-3:]), np.log(errors[-3:]), 1)[0]
        notes.append(
            f"tabular, {rule} gradient: relative error {errors[-1]:.2g} at eta {etas[-1]:g}, order {order:.2f}"
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    finish(axes, title, "relative error of the prediction", "", x="step size eta")
    axes.legend(loc="upper left")
    return notes


def theorem_tabular(
    axes: Any,
    arms: Sequence[Arm],
    measured: Callable[[Arm], Sequence[Measured]],
    *,
    eta: float = 0.03,
    title: str = "",
) -> list[str]:
    """Predicted and measured entropy change of 64 random softmaxes after one step of size `eta`."""
    for i, rule in enumerate(get_args(Rule)):
        (check,) = tabular_checks([eta], rule=rule)
        scale = float(np.abs(check.predicted).max())
        axes.plot(
            check.predicted / scale,
            check.measured / scale,
            **style.mark(i),
            linestyle="none",
            alpha=0.6,
            label=f"{rule} gradient",
        )
    ends = np.array([-1.0, 1.0])
    axes.plot(ends, ends, color="0.5", linewidth=0.8)
    finish(axes, title or f"One step, eta = {eta:g}", "measured dH (scaled)", "", x="predicted dH (scaled)")
    axes.legend(loc="upper left")
    return []


def theorem_model(
    axes: Any,
    arms: Sequence[Arm],
    measured: Callable[[Arm], Sequence[Measured]],
    *,
    covariance: str = COVARIANCE,
    title: str = "Trained model",
) -> list[str]:
    """Entropy change across blocks of steps against minus their covariance, run by run centred (`agreement`)."""
    found: list[Pairs] = []
    for arm in arms:
        mine = [p for m in measured(arm) if (p := pairs_of(m, covariance)) is not None and len(p) > 1]
        if mine:
            x, y = (
                np.concatenate([getattr(p, n) - getattr(p, n).mean() for p in mine]) for n in ("predicted", "measured")
            )
            axes.plot(
                x,
                y,
                **style.mark(arm.place),
                linestyle="none",
                alpha=0.3,
                markersize=2.5,
                rasterized=True,
                label=f"{arm.label} ({len(mine)})",
            )
        found += mine
    finish(axes, title, f"dH across {WINDOW} steps (centred)", "", x="minus covariance, summed (centred)")
    try:
        result = agreement(found)
    except UserError as error:
        return [str(error)]
    ends = np.array(axes.get_xlim())
    y_limits = axes.get_ylim()
    axes.plot(ends, result.slope * ends, color="black", linewidth=1.0)
    axes.set_xlim(ends)
    axes.set_ylim(y_limits)
    axes.set_title(f"r = {result.correlation:.2f}", loc="right", fontsize=8, fontweight="normal")
    return [f"{covariance}: {result}"]
