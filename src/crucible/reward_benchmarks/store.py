"""OUT: what was begun (evaluation.json), a line for each item that was scored (scores.jsonl), and summary.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from crucible.errors import UserError
from crucible.reward_benchmarks.items import Verdict
from crucible.rundir.atomic import explained, write_json
from crucible.rundir.jsonl import JsonlWriter, read_jsonl, repair
from crucible.rundir.lock import RunLock

SETTINGS, SCORES, SUMMARY = "evaluation.json", "scores.jsonl", "summary.json"


@dataclass(frozen=True, slots=True)
class Record:
    """One item's scores, in the order of its responses, or its two games; `too_long`: what was, "" elsewhere.

    A response without a score is None: it was too long, or no score could be read.
    """

    id: str
    scores: list[float | None] = field(default_factory=list)
    games: list[Verdict | None] = field(default_factory=list)
    too_long: list[str] = field(default_factory=list)

    @property
    def fits(self) -> bool:
        return not any(self.too_long)


class Store:
    """Each record is on disk, whole, when `add` returns: the same command goes on where it was stopped."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.records: dict[str, Record] = {}
        self.settings: dict[str, Any] = {}
        self._lock: RunLock | None = None
        self._writer: JsonlWriter | None = None

    def look(self, settings: Mapping[str, Any]) -> None:
        """Read what is there, and change nothing. `settings` are those of the evaluation.

        Errors: UserError for a directory that was begun with other settings, or holds something else.
        """
        self.settings = dict(settings)
        path = self.folder / SETTINGS
        if not path.exists():
            if self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
                raise UserError(f"out={self.folder} is not empty and holds no evaluation; give another folder")
            return
        with explained("cannot read", path):
            text = path.read_text(encoding="utf-8")
        try:
            there = json.loads(text)
        except ValueError:
            raise UserError(f"{path} is damaged; give another out=") from None
        for key, value in settings.items():
            if there.get(key) != value:
                raise UserError(
                    f"out={self.folder} was begun with {key} = {json.dumps(there.get(key))}, not {json.dumps(value)}; "
                    "give another folder"
                )

        self._read()

    def begin(self) -> None:
        """Errors: UserError where another process is at work there, or nothing can be written."""
        with explained("cannot create", self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock = RunLock.acquire(self.folder, report=lambda line: None)
        except UserError as error:
            raise UserError(str(error).replace("choose another run_id", "give another out=")) from None
        if not (self.folder / SETTINGS).exists():
            write_json(self.folder / SETTINGS, self.settings)
        scores = self.folder / SCORES
        if scores.exists():
            repair(scores)
        self._read()  # what another process has added meanwhile
        with explained("cannot write", scores):
            self._writer = JsonlWriter(scores)

    def _read(self) -> None:
        scores = self.folder / SCORES
        if scores.exists():
            with explained("cannot read", scores):
                self.records = {row["id"]: _record(row, scores) for row in read_jsonl(scores)}

    def add(self, record: Record) -> None:
        assert self._writer is not None
        self._writer.write({name: value for name, value in asdict(record).items() if value})
        self.records[record.id] = record

    def summarise(self, summary: Mapping[str, Any]) -> None:
        write_json(self.folder / SUMMARY, dict(summary))

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        if self._lock is not None:
            self._lock.release()


def _record(row: Mapping[str, Any], path: Path) -> Record:
    try:
        return Record(**row)
    except TypeError:
        raise UserError(f"{path}: the line of {row.get('id')} is none of this program's; give another out=") from None
