"""A benchmark's result as rows of shares with intervals, as a text table and as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from crucible.analysis.statistics import Interval

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Row:
    """`n` prompts (or other units, see `Summary.unit`); `of`: how many the whole benchmark has, where known."""

    name: str
    n: int
    cells: Mapping[str, Interval]
    of: int | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """`overall` is the last row that stands for the whole. `more` goes to summary.json alone."""

    columns: Sequence[str]
    rows: Sequence[Row]
    notes: Sequence[str] = ()
    unit: str = "prompts"
    more: Mapping[str, Any] = field(default_factory=dict)


def combined(parts: Sequence[Interval]) -> Interval:
    """The unweighted mean of independent estimates with its interval, by the square-and-add rule (MOVER).

    low = mean - sqrt(sum (value - low)^2) / G, likewise upwards: Zou and Donner 2008, Statistics in Medicine 27, with
    weights 1/G. It keeps the asymmetry of the parts' own intervals, and has a width where a part did not vary.
    """
    g = len(parts)
    value = sum(p.value for p in parts) / g
    below, above = (math.sqrt(sum(d * d for d in side)) / g for side in zip(*map(_arms, parts), strict=True))
    return Interval(value, value - below, value + above, sum(p.n for p in parts), f"square-and-add over {g} parts")


def _arms(part: Interval) -> tuple[float, float]:
    return part.value - part.low, part.high - part.value


def text(summary: Summary) -> str:
    """One line a row, in %, with 95 % intervals."""
    width = max(len(row.name) for row in summary.rows)
    counts = [f"{row.n} of {row.of}" if row.of is not None and row.of != row.n else str(row.n) for row in summary.rows]
    count_width = max(map(len, [*counts, summary.unit]))
    lines = [f"{'':<{width}}  {summary.unit:>{count_width}}  " + "  ".join(f"{c:<19}" for c in summary.columns)]
    for row, count in zip(summary.rows, counts, strict=True):
        cells = (percent(row.cells[c]) if c in row.cells else "-" for c in summary.columns)
        lines.append(f"{row.name:<{width}}  {count:>{count_width}}  " + "  ".join(f"{c:<19}" for c in cells))
    return "\n".join([line.rstrip() for line in lines] + [f"note: {note}" for note in summary.notes])


def percent(found: Interval) -> str:
    return f"{100 * found.value:5.1f} [{100 * found.low:.1f}, {100 * found.high:.1f}]"


def as_json(summary: Summary) -> dict[str, Any]:
    """Shares, not per cent."""
    return {
        "unit": summary.unit,
        "interval_level": LEVEL,
        "rows": [
            {
                "name": row.name,
                "n": row.n,
                "of": row.of,
                **{
                    name: {"value": cell.value, "low": cell.low, "high": cell.high, "n": cell.n, "method": cell.method}
                    for name, cell in row.cells.items()
                },
            }
            for row in summary.rows
        ],
        "notes": list(summary.notes),
        **summary.more,
    }
