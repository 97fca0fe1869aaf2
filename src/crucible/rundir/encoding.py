"""Numbers in JSON. What JSON lacks is written as the strings "NaN", "Infinity" and "-Infinity"."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def encode(value: Any, where: str = "value") -> Any:
    """`value` in terms of strict JSON. Scalars of NumPy and torch become Python numbers.

    Errors: TypeError naming the place, for what has no JSON form (a tensor of several elements, an object).
    """
    if value is None or isinstance(value, bool | str):
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if math.isnan(value):
            return "NaN"
        return float(value) if math.isfinite(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, Mapping):
        return {str(k): encode(v, f"{where}.{k}") for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [encode(v, f"{where}[{i}]") for i, v in enumerate(value)]
    if isinstance(value, Path):
        return str(value)
    if callable(getattr(value, "tolist", None)):  # arrays and tensors, without importing their libraries
        return encode(value.tolist(), where)
    raise TypeError(f"{where}: a {type(value).__name__} has no JSON form")


def decode_number(value: Any) -> Any:
    """The float behind "NaN", "Infinity" or "-Infinity"; anything else as it is."""
    return SPECIAL.get(value, value) if isinstance(value, str) else value


def decode_numbers(value: Any) -> Any:
    """`decode_number` through lists and mappings. For values that hold no free text."""
    if isinstance(value, dict):
        return {k: decode_numbers(v) for k, v in value.items()}
    if isinstance(value, list):
        return [decode_numbers(v) for v in value]
    return decode_number(value)
