"""A run as analysis sees it, wherever it is kept: a run directory, a results file, a W&B project.

Reading a run costs its config, status and provenance; metrics are read when they are asked for.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crucible.analysis.flat_config import read_flat_config
from crucible.errors import UserError
from crucible.rundir.config_file import FILE as CONFIG
from crucible.rundir.encoding import decode_numbers
from crucible.rundir.lock import is_locked
from crucible.rundir.metrics import ATTEMPT, attempt_files, join_attempts
from crucible.rundir.provenance import FILE as PROVENANCE
from crucible.rundir.status import read_status

Row = dict[str, Any]
_SCALAR = re.compile(rb'\s*(null|true|false|"[^"\\]*")')
IDENTITY = ("experiment", "run_id", "state", "step", "steps", "attempts", "error", "started", "updated", "host",
            "commit", "dirty", "code_version")  # fmt: skip


@dataclass(slots=True)
class Run(ABC):
    """`facts` has the keys of `IDENTITY` (None where unknown); `config` is flat; `problems` says what was damaged.

    `name` is <experiment>/<run_id>, or the path where two runs of one reading share that.
    """

    path: str
    name: str
    facts: dict[str, Any]
    config: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def state(self) -> str:
        return str(self.facts["state"])

    @property
    def seed(self) -> Any:
        return self.config.get("seed")

    @abstractmethod
    def rows(self, kind: str) -> list[Row]:
        """Metrics rows of a kind ("eval", "update", ...), in order of their steps.

        Errors: UserError where rows of this kind are not kept (a results file keeps curves, not updates).
        """

    @abstractmethod
    def curves(self, names: Collection[str] | None = None) -> dict[str, tuple[list[float], list[float]]]:
        """(steps, values) of each named metric (None: all), the updates of a step averaged; NaN values stay."""


class FolderRun(Run):
    """A run directory. Evaluations, which are few, are read once; other rows each time they are asked for."""

    _evaluations: list[Row] | None = None

    def rows(self, kind: str) -> list[Row]:
        if kind != "eval":
            return self._read(kind)
        if self._evaluations is None:
            self._evaluations = self._read(kind)
        return self._evaluations

    def _read(self, kind: str) -> list[Row]:
        try:
            return read_rows(Path(self.path), kind, self.problems.append)
        except (OSError, ValueError, TypeError, KeyError) as error:
            self.problems.append(f"{self.path}: metrics cannot be read: {' '.join(str(error).split())}")
            return []

    def curves(self, names: Collection[str] | None = None) -> dict[str, tuple[list[float], list[float]]]:
        return mean_by_step(self.rows("update"), names)


def read_run(path: Path) -> FolderRun:
    """A run directory in whatever state it is; never raises for what is in it.

    The state is that of status.json, except "dead": says running, and no process holds it; "unknown": no
    readable status.json.
    """
    problems: list[str] = []
    config: dict[str, Any] = {}
    status: dict[str, Any] = {}
    try:
        config = read_flat_config(path / CONFIG)
    except UserError as error:
        problems.append(str(error))
    try:
        status = read_status(path) or {}
    except UserError as error:
        problems.append(str(error))
    if not status and not problems:
        problems.append(f"{path} has no status.json")
    origin = read_origin(path / PROVENANCE)
    state = str(status.get("state", "unknown"))
    if state == "running" and not is_locked(path):
        state = "dead"
    known = {**status, **origin, "state": state, "experiment": path.parent.name, "run_id": path.name}
    facts = {name: known.get(name) for name in IDENTITY}
    return FolderRun(str(path), f"{path.parent.name}/{path.name}", facts, config, problems)


def read_origin(file: Path) -> dict[str, Any]:
    """commit, dirty and code_version out of a provenance.json, whose stored diff is too long to parse it whole.

    A quotation mark inside a JSON string is escaped, so `"commit":` can only be a key; that of the last attempt comes
    first, those of earlier ones under "earlier", the last key. {} where there is no such file.
    """
    try:
        data = file.read_bytes()
    except OSError:
        return {}
    found = {}
    for name in ("commit", "dirty", "code_version"):
        at = data.find(b'"%s":' % name.encode())
        match = _SCALAR.match(data, at + len(name) + 3) if at >= 0 else None
        found[name] = json.loads(match[1]) if match else None
    return found


def read_rows(path: Path, kind: str, report: Callable[[str], None]) -> list[Row]:
    """`crucible.rundir.read_metrics`, of one kind: the other lines are not parsed.

    Leaving them out first changes nothing: attempts are joined by keys that hold the kind.
    """
    attempts = []
    for file in attempt_files(path).values():
        data = file.read_bytes()
        rows = []
        for start, end in sorted({*_lines_with(data, kind), *_lines_with(data, ATTEMPT)}):
            try:
                row = json.loads(data[start:end])
            except ValueError:
                if end < len(data):  # a torn last line is no damage
                    report(f"{file}: a damaged line at byte {start} is left out")
                continue
            if isinstance(row, dict) and row.get("kind") in (kind, ATTEMPT):
                rows.append(decode_numbers(row) if _may_hold_special(data, start, end) else row)
        attempts.append(rows)
    return join_attempts(attempts)


def _lines_with(data: bytes, word: str) -> Iterator[tuple[int, int]]:
    """(start, end) of each line in which "word" stands in quotes."""
    wanted = json.dumps(word).encode()
    found = data.find(wanted)
    while found >= 0:
        start, end = data.rfind(b"\n", 0, found) + 1, data.find(b"\n", found)
        end = len(data) if end < 0 else end
        yield start, end
        found = data.find(wanted, end)


def _may_hold_special(data: bytes, start: int, end: int) -> bool:
    return data.find(b'NaN"', start, end) >= 0 or data.find(b'Infinity"', start, end) >= 0


def mean_by_step(
    rows: Iterable[Row], names: Collection[str] | None = None
) -> dict[str, tuple[list[float], list[float]]]:
    """(steps, values) of each metric, averaged over the rows of a step that have it."""
    found: dict[str, dict[float, list[float]]] = {}
    for row in rows:
        if not is_number(row.get("step")):
            continue
        for name in row if names is None else [n for n in names if n in row]:
            if is_number(row[name]) and name not in ("step", "update"):
                found.setdefault(name, {}).setdefault(float(row["step"]), []).append(float(row[name]))
    return {
        name: (sorted(steps), [sum(steps[s]) / len(steps[s]) for s in sorted(steps)]) for name, steps in found.items()
    }


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
