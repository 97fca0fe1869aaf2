"""A run as analysis sees it, wherever it is kept: a run directory, a results file, a W&B project.

Reading a run costs its config, status and provenance; metrics are read when they are asked for.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crucible.analysis.curves import Curve, by_step
from crucible.analysis.flat_config import read_flat_config
from crucible.analysis.rows import Row, read_rows
from crucible.errors import UserError
from crucible.rundir.config_file import FILE as CONFIG
from crucible.rundir.lock import is_locked
from crucible.rundir.provenance import FILE as PROVENANCE
from crucible.rundir.status import one_line, read_status

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
    def rows(self, kind: str, names: Collection[str] | None = None) -> list[Row]:
        """Metrics rows of a kind ("eval", "update", ...), in order of their steps; `names` are the metrics needed.

        Errors: UserError where rows of this kind are not kept (a results file keeps curves, not updates).
        """

    def curves(self, names: Collection[str] | None = None) -> dict[str, Curve]:
        """The curve by step of each named metric (None: all) that the run has."""
        return by_step(self.rows("update", names), names)


class FolderRun(Run):
    """A run directory. Evaluations, which are few, are read once; other rows each time they are asked for."""

    _evaluations: list[Row] | None = None

    def rows(self, kind: str, names: Collection[str] | None = None) -> list[Row]:
        if kind != "eval":
            return self._read(kind, names)
        if self._evaluations is None:
            self._evaluations = self._read(kind, None)
        return self._evaluations

    def _read(self, kind: str, names: Collection[str] | None) -> list[Row]:
        try:
            return read_rows(Path(self.path), kind, self._note, names)
        except (OSError, ValueError, TypeError, KeyError) as error:
            self._note(f"{self.path}: metrics cannot be read: {one_line(error)}")
            return []

    def _note(self, problem: str) -> None:
        if problem not in self.problems:
            self.problems.append(problem)


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
