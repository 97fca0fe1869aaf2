"""Rows of a benchmark's file, JSON Lines or one JSON list, each with its place for messages."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crucible.errors import UserError, nearest
from crucible.reward_benchmarks.items import Item


@dataclass(frozen=True, slots=True)
class Line:
    """One row. Errors of its methods: UserError with `where`."""

    where: str
    fields: dict[str, Any]

    def text(self, name: str) -> str:
        """A text that is not empty."""
        value = self._value(name)
        if not isinstance(value, str) or not value.strip():
            raise UserError(f"{self.where}: {name} must be a text that is not empty, not {shown(value)}")
        return value

    def name(self, name: str) -> str:
        """A text or a whole number, as a text."""
        value = self._value(name)
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else self.text(name)

    def texts(self, name: str, *, count: int | None = None) -> tuple[str, ...]:
        """A list of texts, `count` of them where that is given, else at least one. Blank texts are responses too."""
        value = self._value(name)
        wanted = f"{count} texts" if count else "at least one text"
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise UserError(f"{self.where}: {name} must be a list of {wanted}, not {shown(value)}")
        if len(value) != count if count else not value:
            raise UserError(f"{self.where}: {name} has {len(value)} entries; it must be a list of {wanted}")
        return tuple(value)

    def _value(self, name: str) -> Any:
        if name not in self.fields:
            raise UserError(f"{self.where}: no column {name}{nearest(name, self.fields)}")
        return self.fields[name]


def shown(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def read_rows(path: Path) -> list[Line]:
    """Errors: UserError for a file that is missing, empty or unreadable, and for a damaged row, with its place."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"data: cannot read {path}: {(error.strerror or str(error)).lower()}") from None
    content = content.removeprefix(b"\xef\xbb\xbf")
    if not content.strip():
        raise UserError(f"data: {path} is empty")
    if content.lstrip()[:1] == b"[":
        values = _json(content, str(path))
        return [_line(f"{path}: entry {i}", value) for i, value in enumerate(values, start=1)]
    lines = enumerate(content.split(b"\n"), start=1)
    return [_line(f"{path}:{i}", _json(line, f"{path}:{i}")) for i, line in lines if line.strip()]


def _json(content: bytes, where: str) -> Any:
    try:
        return json.loads(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise UserError(f"{where}: is not UTF-8 (byte 0x{error.object[error.start]:02x})") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, " if error.lineno > 1 else ""
        raise UserError(f"{where}: is not JSON ({error.msg.lower()} at {place}column {error.colno})") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where}: is not readable JSON ({str(error)[:80]})") from None


def _line(where: str, value: Any) -> Line:
    if not isinstance(value, dict):
        raise UserError(f"{where}: is a JSON {type(value).__name__}, not an object")
    return Line(where, value)


def refuse_repeated(lines: Sequence[Line], items: Iterable[Item]) -> None:
    """Scores are kept by id. Errors: UserError for two rows with one."""
    first: dict[str, str] = {}
    for line, item in zip(lines, items, strict=True):
        if item.id in first:
            raise UserError(f"{line.where}: the id {item.id} is that of {first[item.id]} too; ids must differ")
        first[item.id] = line.where
