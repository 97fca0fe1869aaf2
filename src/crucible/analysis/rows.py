"""Metrics rows out of the files of a run, reading no more of them than is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypedDict

import msgspec

from crucible.rundir.encoding import decode_numbers
from crucible.rundir.jsonl import read_jsonl
from crucible.rundir.metrics import ATTEMPT, attempt_files, join_attempts

Row = dict[str, Any]
JOINED_BY = ("kind", "step", "update", "phase", "from_step")  # what `join_attempts` looks at


def read_rows(path: Path, kind: str, report: Callable[[str], None], names: Iterable[str] | None = None) -> list[Row]:
    """`crucible.rundir.read_metrics` of one kind and, given `names`, without the other metrics.

    Leaving out first changes nothing: attempts are joined by keys that hold the kind. A file with a torn or damaged
    line is read line by line, and `report` hears of damage; without `names` lines of another kind are passed over
    unread, so that theirs is heard of when that kind is read.
    """
    wanted = None if names is None else tuple(names)
    attempts = []
    for file in attempt_files(path).values():
        rows = _whole(file.read_bytes(), kind, wanted)
        if rows is None:
            rows = [decode_numbers(row) for row in read_jsonl(file, report)]
        attempts.append([row for row in rows if row.get("kind") in (kind, ATTEMPT)])
    return join_attempts(attempts)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def series(rows: Iterable[Row], metric: str) -> tuple[list[float], list[float]]:
    """(steps, values) of the rows that have both; NaN values stay."""
    chosen = [row for row in rows if is_number(row.get(metric)) and is_number(row.get("step"))]
    return [float(row["step"]) for row in chosen], [float(row[metric]) for row in chosen]


def names_in(rows: Iterable[Row]) -> list[str]:
    """Numeric metrics that occur in the rows, in order of appearance."""
    found = {name: None for row in rows for name, value in row.items() if is_number(value)}
    return [name for name in found if name not in ("step", "update")]


def _whole(data: bytes, kind: str, names: tuple[str, ...] | None) -> list[Row] | None:
    """The rows of a file in which each line is one JSON object; None for any other file."""
    if not data.endswith(b"\n"):
        return None if data else []
    if names is None:
        data = _lines_of(data, kind)
    try:
        rows = _decoder(names).decode_lines(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if len(rows) != data.count(b"\n"):
        return None
    if names is None:
        special = b'NaN"' in data or b'Infinity"' in data
    else:
        special = any(isinstance(row.get(name), str) for name in ("step", *names) for row in rows)
    return [decode_numbers(row) for row in rows] if special else rows


def _lines_of(data: bytes, kind: str) -> bytes:
    """Without the lines that begin as the writer's rows of another kind do."""
    these = tuple(b'{"kind":"%s"' % k.encode() for k in (kind, ATTEMPT))
    lines = data.splitlines(keepends=True)
    return b"".join(x for x in lines if x.startswith(these) or not x.startswith(b'{"kind":"'))


@lru_cache
def _decoder(names: tuple[str, ...] | None) -> msgspec.json.Decoder[Any]:
    if names is None:
        return msgspec.json.Decoder(dict[str, Any])
    chosen: Any = TypedDict("chosen", dict.fromkeys((*JOINED_BY, *names), Any), total=False)  # type: ignore
    return msgspec.json.Decoder(chosen)
