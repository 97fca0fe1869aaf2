"""Is what the program gave what was expected? Without running a line of its code or hashing what it chose.

Works on values as JSON data (inside/values.py), so that a set of colliding numbers costs n log n, not n squared.
"""

from __future__ import annotations

import cmath
import json
import math
from typing import Any

DEEPEST = 200  # nesting
ORDERED = ("list", "tuple")


def same_output(actual: str, expected: str) -> bool:
    """Equal line by line and in their number; whitespace at line ends and empty lines at the end do not count."""
    return _lines(actual) == _lines(expected)


def _lines(text: str) -> list[str]:
    lines = [line.rstrip() for line in text.split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def same_value(actual: Any, expected: Any, tolerance: float = 0.0, depth: int = 0) -> bool:
    """Python's == on plain data, but that NaN is NaN. `tolerance` does not reach into sets and keys of dicts."""
    if depth > DEEPEST:
        return False
    if _number(expected) is not None:
        return _number(actual) is not None and _close(_number(actual), _number(expected), tolerance)
    if not isinstance(expected, list):
        return type(actual) is type(expected) and actual == expected
    if not isinstance(actual, list) or not actual or not isinstance(actual[0], str):
        return False
    tag, theirs = expected[0], actual[0]
    if len(actual) != len(expected):
        return False
    if tag in ("set", "frozenset"):
        return theirs in ("set", "frozenset") and _keys(actual[1]) == _keys(expected[1])
    if tag != theirs:
        return False
    if tag in ORDERED:
        return _pairwise(actual[1], expected[1], tolerance, depth)
    if tag == "dict":
        return _same_dict(actual[1], expected[1], tolerance, depth)
    if tag == "range":
        return _range(actual[1:]) == _range(expected[1:])
    return actual == expected


def _pairwise(actual: Any, expected: list[Any], tolerance: float, depth: int) -> bool:
    if not isinstance(actual, list) or len(actual) != len(expected):
        return False
    return all(same_value(a, e, tolerance, depth + 1) for a, e in zip(actual, expected, strict=True))


def _same_dict(actual: Any, expected: list[Any], tolerance: float, depth: int) -> bool:
    if not isinstance(actual, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in actual):
        return False
    ours, theirs = ({_key(k): v for k, v in pairs} for pairs in (expected, actual))
    if len(theirs) != len(actual) or theirs.keys() != ours.keys():
        return False
    return all(same_value(theirs[key], ours[key], tolerance, depth + 1) for key in ours)


def _keys(items: Any) -> list[str] | None:
    return sorted({_key(item) for item in items}) if isinstance(items, list) else None


def _key(data: Any, depth: int = 0) -> str:
    """One text for all values that are equal as keys: 1, 1.0 and True."""
    if depth > DEEPEST:
        return "too deep"
    number = _number(data)
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    if number is not None:
        return f"int {number:x}" if isinstance(number, int) else repr(number)
    if isinstance(data, list):
        tag = "set" if data[:1] == ["frozenset"] else data[:1]
        inner = [
            sorted({_key(x, depth + 1) for x in part}) if tag == "set" else [_key(x, depth + 1) for x in part]
            if isinstance(part, list) else json.dumps(part)
            for part in data[1:]
        ]  # fmt: skip
        return json.dumps([tag, inner])
    return json.dumps(data)


def _number(data: Any) -> int | float | complex | None:
    """The number it stands for, or None. A complex without an imaginary part is its real part, as in Python's ==."""
    if isinstance(data, int | float):
        return data
    if isinstance(data, list) and len(data) >= 2 and data[0] == "int" and isinstance(data[1], str):
        try:
            return int(data[1], 16)
        except ValueError:
            return None
    if isinstance(data, list) and data[:1] == ["complex"] and len(data) == 3:
        real, imaginary = data[1:]
        if isinstance(real, int | float) and isinstance(imaginary, int | float):
            return complex(real, imaginary) if imaginary else float(real)
    return None


def _close(actual: Any, expected: Any, tolerance: float) -> bool:
    if actual == expected:
        return True
    if isinstance(expected, float) and math.isnan(expected):
        return isinstance(actual, float) and math.isnan(actual)
    if not tolerance:
        return False
    try:
        if isinstance(actual, complex) or isinstance(expected, complex):
            return cmath.isclose(actual, expected, rel_tol=tolerance, abs_tol=tolerance)
        return math.isclose(actual, expected, rel_tol=tolerance, abs_tol=tolerance)
    except OverflowError:
        return False


def _range(parts: list[Any]) -> range | None:
    """Ranges are equal where their numbers are."""
    try:
        return range(*parts)
    except (TypeError, ValueError):
        return None
