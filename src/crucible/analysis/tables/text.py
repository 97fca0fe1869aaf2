"""Numbers of a table as text."""

from __future__ import annotations

import math

from crucible.analysis.statistics import Interval
from crucible.analysis.tables.cells import Cell
from crucible.analysis.tables.definition import Column


def decimals(value: float, column: Column) -> int:
    """As the column says; else 1 in percent, 3, or what two digits of a small number need."""
    if column.digits is not None:
        return column.digits
    if column.percent:
        return 1
    if value == 0 or not math.isfinite(value) or abs(value) >= 0.1:
        return 3
    return min(8, 1 - math.floor(math.log10(abs(value))))


def number(value: float, column: Column, *, like: float | None = None, sign: bool = False) -> str:
    """A value with the decimals of `like`, or its own."""
    if math.isnan(value):
        return "–"
    digits = decimals(value if like is None else like, column)
    return f"{value * (100 if column.percent else 1):{'+' if sign else ''}.{digits}f}"


def limits(interval: Interval, column: Column, *, sign: bool = False) -> str:
    """[low, high], or nothing where there is no interval."""
    if math.isnan(interval.low):
        return ""
    low, high = (number(v, column, like=interval.value, sign=sign) for v in (interval.low, interval.high))
    return f" [{low}, {high}]"


def value_text(cell: Cell, column: Column) -> str:
    """62.1 [58.0, 66.2], n=5; or why there is nothing."""
    if cell.estimate is None:
        return cell.missing
    return f"{number(cell.estimate.value, column)}{limits(cell.estimate, column)}, n={len(cell.scores)}"


def difference_text(cell: Cell, column: Column) -> str:
    """+3.1 [+0.2, +6.0], p=0.012*; the p-value is the corrected one; † for a test over problems instead of seeds."""
    if cell.against is None:
        return "–" if cell.estimate is not None else cell.missing
    text = number(cell.against.interval.value, column, sign=True) + limits(cell.against.interval, column, sign=True)
    marks = ("*" if cell.significant else "") + ("†" if cell.against is cell.by_problem else "")
    return f"{text}, {p_text(cell.p_corrected)}{marks}"


def p_text(p: float) -> str:
    if math.isnan(p):
        return "no test"
    return "p<0.001" if p < 0.001 else f"p={p:.3f}"
