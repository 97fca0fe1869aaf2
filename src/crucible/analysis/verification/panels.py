"""Panels of a study's figures: lines over a setting of the arms, and rates of committed verdicts.

The shape of these functions is that of `figure_curves`; the last three draw counts and no runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from crucible.analysis import style
from crucible.analysis.arms import Arm
from crucible.analysis.bands import mean_and_half
from crucible.analysis.figure_curves import SEEDS_OF_A_BAND, finish
from crucible.analysis.measured import Measured
from crucible.analysis.scalars import scalar
from crucible.analysis.verification.figures import against_difficulty, against_tau, trade
from crucible.analysis.verification.stored import stored, suite_of
from crucible.analysis.verification.tables import groups
from crucible.errors import UserError, nearest


def arms_over(
    axes: Any,
    arms: Sequence[Arm],
    measured: Callable[[Arm], Sequence[Measured]],
    *,
    lines: Mapping[str, Mapping[Any, str]],
    value: str,
    title: str,
    x: str,
    y: str,
    log: bool = False,
) -> list[str]:
    """One line for each of `lines`: {label: {x: arm}}. Means with 95 % t-intervals over seeds, from three on."""
    known, notes = {arm.key: arm for arm in arms}, []
    for i, (label, points) in enumerate(lines.items()):
        drawn = []
        for place, key in points.items():
            if key not in known:
                raise UserError(f"arms_over: no arm {key}{nearest(key, known)}; arms: {', '.join(known)}")
            found = [v for m in measured(known[key]) if (v := scalar(m, value)) is not None]
            if not found:
                notes.append(f"{known[key].label}: no runs with {value}")
                continue
            mean, half = mean_and_half(found)
            drawn.append((float(place), float(mean), float(half) if len(found) >= SEEDS_OF_A_BAND else 0.0))
        if drawn:
            xs, means, halves = np.array(drawn).T
            axes.errorbar(xs, means, yerr=halves, **style.line_with_marker(i), label=label, elinewidth=0.8, capsize=1.5)
    if log:
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_formatter(lambda number, _: f"{number:g}")
    finish(axes, title, y, "", x=x)
    return notes


def verdicts_over_tau(
    axes: Any, arms: Sequence[Arm], measured: Any, *, counts: str, suite: str, title: str, rate: str = "kept"
) -> list[str]:
    """A rate (`verification.rates`) against tau, a line a difficulty, from the counts file."""
    suites = stored(counts)
    against_tau(axes, suite_of(suites, suite), rate, groups(suites), title)
    return []


def verdicts_over_difficulty(
    axes: Any, arms: Sequence[Arm], measured: Any, *, counts: str, suite: str, title: str, rate: str = "recall"
) -> list[str]:
    """A rate against the difficulty, a line a verifier."""
    suites = stored(counts)
    against_difficulty(axes, suite_of(suites, suite), rate, groups(suites), title)
    return []


def verdicts_trade(axes: Any, arms: Sequence[Arm], measured: Any, *, counts: str, suite: str, title: str) -> list[str]:
    """Precision against recall of every verifier."""
    trade(axes, suite_of(stored(counts), suite), title)
    return []
