"""Bounds of a number, written in its annotation, so that what is out of range stops before anything is loaded.

    lr: Annotated[float, "> 0"]      share: Annotated[float, "0 to 1"]      layers: Annotated[int, "1 to 100"]

Read from source like the rest of a signature. A number with bounds is finite.
"""

from __future__ import annotations

import functools
import math
import re

_WORDS = {">": "above", ">=": "at least", "<": "below", "<=": "at most"}
_ONE = re.compile(r"(>=|<=|>|<)\s*(\S+)")
_RANGE = re.compile(r"(\S+) to (\S+)")


def outside(value: float, bounds: str) -> str | None:
    """The end of the sentence "steps=0 ..." where `value` breaks `bounds`; None where it keeps them."""
    if isinstance(value, float) and not math.isfinite(value):
        return f"must be a finite number {words(bounds)}"
    return None if all(_holds(value, sign, limit) for sign, limit in read(bounds)) else f"must be {words(bounds)}"


def words(bounds: str) -> str:
    """'>= 1' as 'at least 1'; '0 to 1' as 'from 0 to 1'."""
    if match := _RANGE.fullmatch(bounds):
        return f"from {match[1]} to {match[2]}"
    return " and ".join(f"{_WORDS[sign]} {limit:g}" for sign, limit in read(bounds))


@functools.cache
def read(bounds: str) -> tuple[tuple[str, float], ...]:
    """('>=', 1.0) for '>= 1'. Errors: ValueError for anything else: an annotation is code."""
    if match := _RANGE.fullmatch(bounds):
        return (">=", float(match[1])), ("<=", float(match[2]))
    found = []
    for part in _parts(bounds):
        match = _ONE.fullmatch(part.strip())
        if match is None:
            raise ValueError(f"bounds {bounds!r}: write them as '> 0', '>= 1', '>= 0, < 1' or '0 to 1'")
        found.append((match[1], float(match[2])))
    return tuple(found)


def _parts(bounds: str) -> list[str]:
    return bounds.split(",")


def _holds(value: float, sign: str, limit: float) -> bool:
    return {">": value > limit, ">=": value >= limit, "<": value < limit, "<=": value <= limit}[sign]
