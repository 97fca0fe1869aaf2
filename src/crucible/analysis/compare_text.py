"""A comparison as Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from crucible.analysis.compare import Comparison, Line
from crucible.analysis.runs import Run
from crucible.analysis.statistics import Difference, Interval

SHOWN = 5  # runs, or values of an option, that are named


def as_markdown(found: Comparison) -> str:
    lines = [f"a: {_group(found.a)}", f"b: {_group(found.b)}", "", "## Config", ""]
    if found.config:
        lines += _table(["option", "a", "b"], [[n, _values(x), _values(y)] for n, (x, y) in found.config.items()])
    else:
        lines.append("No option differs between a and b (cosmetics aside).")
    within = {n: v for n, v in found.varying.items() if n not in found.config}
    if within:
        lines += ["", f"Also varying within a group: {', '.join(f'{n} ({_values(v)})' for n, v in within.items())}."]
    lines += ["", "## Curves", "", *_curves(found), "", "## Outcome", "", *_outcome(found)]
    problems = [f"{run.name}: {problem}" for run in (*found.a, *found.b) for problem in run.problems]
    return "\n".join([*lines, *(f"- damaged: {problem}" for problem in problems)]) + "\n"


def _curves(found: Comparison) -> list[str]:
    if not found.curves or found.window is None:
        return [_without_metrics(found) or "No metric that both sides have."]
    first, last = found.window
    rows = [[x.name, _interval(x.a), _interval(x.b), _difference(x.over_seeds, x), _p(x)] for x in found.curves]
    lines = _table(["mean of the window", "a", "b", "b - a", "p (Holm)"], rows)
    methods = _methods([x.over_seeds for x in found.curves])
    tests = f"; tests: {methods}" if methods else "; no test: one run on a side says nothing about other seeds"
    return [*lines, "", f"Window: steps after {first:g} up to {last:g}, the last that all runs have made. Intervals: "
            f"{_methods([x.a for x in found.curves] + [x.b for x in found.curves])}{tests}."]  # fmt: skip


def _outcome(found: Comparison) -> list[str]:
    if not found.outcome:
        return [_without_metrics(found) or f"Not compared: {found.not_compared}."]
    rows = [
        [x.name, _interval(x.a), _interval(x.b), _difference(x.over_seeds, x), _difference(x.over_problems, x), _p(x)]
        for x in found.outcome
    ]
    head = ["held out", "a", "b", "b - a over seeds", "b - a over problems", "p (Holm)"]
    methods = _methods([x.over_seeds for x in found.outcome] + [x.over_problems for x in found.outcome])
    which = "over seeds" if found.outcome[0].over_seeds else "over problems: these runs, not other seeds"
    return [*_table(head, rows), "", f"At step {found.outcome_step:g}, the last evaluation that all runs have made. "
            f"Tests: {methods}; p ({which}) corrected for {len(found.outcome)} comparisons."]  # fmt: skip


def _without_metrics(found: Comparison) -> str:
    """Which runs keep the rest from being compared: there is no step that all have made."""
    if not found.bare:
        return ""
    more = f" and {len(found.bare) - SHOWN} more" if len(found.bare) > SHOWN else ""
    names = ", ".join(found.bare[:SHOWN])
    return f"Not compared: of the {len(found.a) + len(found.b)} runs, {names}{more} have no metrics."


def _group(runs: Sequence[Run]) -> str:
    names = ", ".join(f"{run.name} ({run.state})" for run in runs[:SHOWN])
    more = f", and {len(runs) - SHOWN} more" if len(runs) > SHOWN else ""
    return f"{len(runs)} run{'s' if len(runs) > 1 else ''}: {names}{more}"


def _values(values: Sequence[Any]) -> str:
    more = f", and {len(values) - SHOWN} more" if len(values) > SHOWN else ""
    return ", ".join("null" if v is None else str(v) for v in values[:SHOWN]) + more


def _interval(found: Interval) -> str:
    limits = "" if math.isnan(found.low) else f" [{_number(found.low, found)}, {_number(found.high, found)}]"
    return _number(found.value, found) + limits


def _difference(found: Difference | None, line: Line) -> str:
    if found is None:
        return "–"
    i = found.interval
    like = line.a if abs(line.a.value) > abs(i.value) else i
    text = _number(i.value, like, "+")
    return text if math.isnan(i.low) else f"{text} [{_number(i.low, like, '+')}, {_number(i.high, like, '+')}]"


def _number(value: float, like: Interval, sign: str = "") -> str:
    size = abs(like.value)
    digits = 3 if size >= 0.1 or size == 0 else min(8, 2 - math.floor(math.log10(size)))
    return f"{value:{sign}.{digits if size < 100 else 1}f}"


def _p(line: Line) -> str:
    return "–" if math.isnan(line.p) else "<0.001" if line.p < 0.001 else f"{line.p:.3f}"


def _methods(found: Sequence[Interval | Difference | None]) -> str:
    return "; ".join(dict.fromkeys(x.method for x in found if x is not None))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
