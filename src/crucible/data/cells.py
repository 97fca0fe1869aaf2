"""A row of a table and what stands in its columns. A cell that cannot be used says why."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from crucible.errors import nearest


@dataclass(frozen=True, slots=True)
class Row:
    """A row as it was read: where ("train.jsonl:3"), and its fields or the reason there are none."""

    where: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""


class Unusable(Exception):
    """The reason a row cannot be used."""


def cell(row: Row, column: str, role: str) -> Any:
    """The value of a column; where no column has that name, a dot looks into a nested one."""
    fields, name = row.fields, column
    while name not in fields:
        outer, dot, inner = name.partition(".")
        if not dot or not isinstance(fields.get(outer), Mapping):
            raise Unusable(f'has no column "{column}" ({role}){names(name, fields)}')
        fields, name = fields[outer], inner
    value = fields[name]
    if value is None:
        raise Unusable(f'has null in column "{column}"')
    return value


def names(wanted: str, known: Iterable[Any]) -> str:
    """' (did you mean "x"?); it has: x, y', on one line whatever the columns of a table are called."""
    shown = [name if name.isprintable() else repr(name) for name in map(str, known)]
    return f"{nearest(wanted, shown)}; it has: {', '.join(shown) or 'none'}"


def has(row: Row, column: str) -> bool:
    """Is there a value in this column?"""
    try:
        cell(row, column, "")
    except Unusable:
        return False
    return True


def scalar(value: Any, column: str) -> str:
    """A text or a number, as text."""
    return text(value, column) if isinstance(value, str) else str(_number(value, column, "neither text nor a number"))


def number(value: Any, column: str) -> float:
    return float(_number(value, column, "not a number"))


def _number(value: Any, column: str, is_what: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise Unusable(f'has {str(value)[:40]!r} in column "{column}", which is {is_what}')
    return value


def text(value: str, column: str) -> str:
    """The same text, where it says something and every tokenizer can read it."""
    if not value.strip():
        raise Unusable(f'has nothing in column "{column}"')
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Unusable(f'has half a character (a lone surrogate) in column "{column}"') from None
    return value


def messages(value: Any, column: str) -> list[dict[str, str]]:
    """A list of messages with role and content, of which there is at least one."""
    fits = (
        isinstance(value, list)
        and value
        and all(
            isinstance(m, Mapping) and isinstance(m.get("role"), str) and isinstance(m.get("content"), str)
            for m in value
        )
    )
    if not fits:
        raise Unusable(f'has neither text nor a list of messages with role and content in column "{column}"')
    return [{"role": m["role"], "content": text(m["content"], column)} for m in value]
