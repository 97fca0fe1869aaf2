"""The pipeline's directory: what was begun with which settings, the work of each shard, and the files it ends in.

DIR/pipeline.json                       what problems and solutions are made from
DIR/problems.jsonl
DIR/shards/3-of-8/solutions.jsonl ...   work done, a line for each problem (and suite): a line is there or not
DIR/solutions.jsonl suites.jsonl verdicts.jsonl   of all shards, once all of them are through
DIR/train.jsonl rejected.jsonl          D(tau) and what is not in it
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from crucible.errors import UserError
from crucible.rundir.atomic import explained, write_json
from crucible.rundir.jsonl import JsonlWriter, read_jsonl, repair, write_jsonl
from crucible.rundir.lock import RunLock
from crucible.verification.records import Problem, read_problems, row

SETTINGS, PROBLEMS = "pipeline.json", "problems.jsonl"
STAGES = ("solutions", "suites", "verdicts", "judge")


class InUse(UserError):
    """Another process works on this shard."""


class Shard:
    """`number` of `count`, from 1."""

    def __init__(self, text: str):
        match = re.fullmatch(r"(\d+)/(\d+)", text)
        self.number, self.count = (int(match[1]), int(match[2])) if match else (0, 0)
        if not 1 <= self.number <= self.count:
            raise UserError(f"shard={text}: write 3/8 for the third of eight shards")

    def folder(self, number: int) -> str:
        return f"shards/{number}-of-{self.count}"

    def has(self, place: int) -> bool:
        return place % self.count == self.number - 1


class Store:
    def __init__(self, path: Path, shard: Shard):
        self.path, self.shard = path, shard
        self.folder = path / shard.folder(shard.number)

    def begin(self, made_from: Mapping[str, Any]) -> None:
        """Errors: UserError for a directory that was begun with other settings, or is no pipeline's."""
        settings = self.path / SETTINGS
        with explained("cannot create", self.path):
            self.folder.mkdir(parents=True, exist_ok=True)
        wanted = json.loads(json.dumps(made_from, sort_keys=True))
        there: dict[str, Any] = {}
        if settings.exists():
            with explained("cannot read", settings):
                there = json.loads(settings.read_text(encoding="utf-8"))
        for key in wanted:
            if key in there and there[key] != wanted[key]:
                changed = _first_difference(key, there[key], wanted[key])
                raise UserError(f"{self.path} was begun with {changed}; give the same options, or another out=")
        if any(key not in there for key in wanted):
            write_json(settings, {**there, **wanted})

    def problems(self, make: Any) -> list[Problem]:
        """Those of the directory; made and written the first time."""
        path = self.path / PROBLEMS
        if not path.exists():
            write_jsonl(path, map(row, make()))
        return read_problems(path)

    def lock(self) -> RunLock:
        """Errors: InUse."""
        try:
            return RunLock.acquire(self.folder, report=lambda line: None)
        except UserError as error:
            raise InUse(str(error).replace("choose another run_id", "choose another out=")) from None

    def log(self, stage: str) -> Log:
        return Log(self.folder / f"{stage}.jsonl")

    def logs_of_all(self, stage: str) -> dict[str, Any]:
        """The work of every shard that has begun."""
        found: dict[str, Any] = {}
        for number in range(1, self.shard.count + 1):
            path = self.path / self.shard.folder(number) / f"{stage}.jsonl"
            if path.exists():
                found |= {line["key"]: line["value"] for line in read_jsonl(path)}
        return found

    def write(self, name: str, rows: Iterable[dict[str, Any]]) -> None:
        write_jsonl(self.path / f"{name}.jsonl", rows)


class Log:
    """Work done, by key. Each `add` is on disk, whole, when it returns."""

    def __init__(self, path: Path):
        if path.exists():
            repair(path)
        self.done: dict[str, Any] = {line["key"]: line["value"] for line in read_jsonl(path)} if path.exists() else {}
        self._writer = JsonlWriter(path)

    def add(self, key: str, value: Any) -> None:
        self._writer.write({"key": key, "value": value})
        self.done[key] = value

    def __contains__(self, key: str) -> bool:
        return key in self.done

    def close(self) -> None:
        self._writer.close()


def of_file(path: Path) -> dict[str, str]:
    """A file as something that work was made from: its name and a hash of its content."""
    with explained("cannot read", path):
        return {"source": str(path), "content": hashlib.blake2b(path.read_bytes(), digest_size=8).hexdigest()}


def _first_difference(key: str, there: Any, wanted: Any) -> str:
    if isinstance(there, dict) and isinstance(wanted, dict):
        for inner in sorted({*there, *wanted}):
            if there.get(inner) != wanted.get(inner):
                return _first_difference(f"{key} {inner}", there.get(inner), wanted.get(inner))
    return f"{key} = {there}, not {wanted}"
