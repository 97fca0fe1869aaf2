"""Metrics: metrics.001.jsonl, metrics.002.jsonl, ..., one append-only file an attempt.

The first line of a file is its header, {"kind": "attempt", "attempt": 2, ...}; `from_step` (in the header or
in a later line of that kind) says after which step the attempt went on.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from crucible.errors import UserError
from crucible.rundir.encoding import decode_numbers
from crucible.rundir.jsonl import read_jsonl

NAME = re.compile(r"metrics\.(\d{3,})\.jsonl")
ATTEMPT = "attempt"  # kind of the lines that describe an attempt rather than the run


def metrics_file(run: Path, attempt: int) -> Path:
    return run / f"metrics.{attempt:03d}.jsonl"


def attempt_files(run: Path) -> dict[int, Path]:
    """The metrics file of every attempt, in order."""
    found = {int(m[1]): p for p in run.iterdir() if (m := NAME.fullmatch(p.name))}
    return dict(sorted(found.items()))


def key(row: dict[str, Any]) -> tuple[Any, ...]:
    """What a row is about. Equal keys in two attempts are two measurements of the same thing."""
    return tuple(str(row.get(name)) for name in ("kind", "step", "update", "phase"))


def join_attempts(attempts: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """One history out of several attempts (oldest first), ordered by step.

    - The later attempt wins: its rows replace all rows of the same key in earlier ones.
    - Steps after the one a later attempt went on from are dropped: the run has gone another way since.
    - Within a step a row stands where the first of its key stood, as in a run of one attempt.
    """
    kept: list[dict[str, Any]] = []
    places: dict[tuple[Any, ...], int] = {}  # of the n-th row of a key
    for rows in attempts:
        after = [r["from_step"] for r in rows if r.get("kind") == ATTEMPT and _is_number(r.get("from_step"))]
        rows = [r for r in rows if r.get("kind") != ATTEMPT]
        replaced = {key(r) for r in rows} if kept else set()
        kept = [r for r in kept if key(r) not in replaced and not (after and _step(r) > after[-1])]
        kept += rows
        if len(attempts) > 1:
            for identity in _numbered(rows):
                places.setdefault(identity, len(places))
    if len(attempts) > 1:
        placed = zip((places[identity] for identity in _numbered(kept)), kept, strict=True)
        kept = [row for _, row in sorted(placed, key=lambda pair: pair[0])]
    return sorted(kept, key=_step)


def _numbered(rows: Iterable[dict[str, Any]]) -> Iterator[tuple[Any, ...]]:
    """The key of each row, and how many rows of that key came before it."""
    seen: Counter[tuple[Any, ...]] = Counter()
    for row in rows:
        yield (*key(row), seen[key(row)])
        seen[key(row)] += 1


def read_metrics(path: Path | str, report: Callable[[str], None] | None = None) -> list[dict[str, Any]]:
    """The metrics of a run directory (or of one metrics file), attempts joined, NaN and inf as floats.

    Rows torn by a kill are left out; damaged lines too, and `report` hears of them.
    Errors: UserError when there is no such path.
    """
    path = Path(path)
    if path.is_dir():
        files = list(attempt_files(path).values())
    elif path.is_file():
        files = [path]
    else:
        raise UserError(f"no metrics at {path}: give a run directory or a metrics.NNN.jsonl")
    return join_attempts([[decode_numbers(r) for r in read_jsonl(f, report)] for f in files])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _step(row: dict[str, Any]) -> float:
    """Where a row stands in the history; rows without a step come first."""
    step = row.get("step")
    if isinstance(step, int | float) and step == step:
        return float(step)
    return float("-inf")
