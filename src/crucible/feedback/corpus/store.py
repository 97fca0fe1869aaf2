"""The directory of a feedback pipeline.

DIR/pipeline.json                  what each stage is made from
DIR/feedback.jsonl                 the responses with their texts, as `items` describes them
DIR/stages/findings.jsonl          what was read out of the texts of response i: line i
DIR/stages/checks.jsonl            which findings fall, and why: no evidence, helpfulness, partially
DIR/stages/consensus.jsonl         the same after consensus
DIR/replies/                       what an endpoint said
DIR/triples.jsonl pairs.jsonl rejected.jsonl counts.json
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from crucible.errors import UserError
from crucible.feedback.corpus.read import lines
from crucible.pulse import beat
from crucible.rundir.atomic import clear_leftovers, explained, write_json
from crucible.rundir.jsonl import JsonlWriter, repair
from crucible.verification.store import SETTINGS, Shard, Store

FEEDBACK, COUNTS = "feedback.jsonl", "counts.json"
STAGES = ("findings", "checks", "consensus")
ENDS = (COUNTS, "triples.jsonl", "pairs.jsonl", "rejected.jsonl")
TELL_S = 10.0  # seconds between two lines about a stage under way
T = TypeVar("T")


class Stages(Store):
    """Feedback and findings that are made from other options are refused, as they may have been paid for; what is
    computed from them (checks, consensus and all that follows) is thrown away and made again.
    """

    def __init__(self, path: Path):
        super().__init__(path, Shard("1/1"))
        self.folder = path / "stages"

    def refuse_others(self) -> None:
        """Errors: UserError for a directory of another pipeline."""
        settings = self.path / SETTINGS
        if settings.exists() and "feedback" not in self._settings():
            raise UserError(f"{self.path} is the directory of another pipeline; give another out=")

    @contextmanager
    def working(self) -> Iterator[None]:
        """Errors: InUse where another process works on this directory."""
        lock = self.lock()
        try:
            clear_leftovers(self.path)
            yield
        finally:
            lock.release()

    def settle(self, derived: Mapping[str, Any]) -> None:
        """Note what the computed stages are made from; those of other options go, and what follows them."""
        there, wanted = self._settings(), json.loads(json.dumps(derived))
        changed = [name for name in STAGES if name in wanted and there.get(name) != wanted[name]]
        if not changed:
            return
        with explained("cannot remove what other options made in", self.path):
            for name in ENDS:
                (self.path / name).unlink(missing_ok=True)
            for name in STAGES[STAGES.index(changed[0]) :]:
                self.log_of(name).unlink(missing_ok=True)
        write_json(self.path / SETTINGS, there | wanted)

    def log_of(self, stage: str) -> Path:
        return self.folder / f"{stage}.jsonl"

    def run(
        self,
        stage: str,
        inputs: Callable[[], Iterable[T]],
        total: int,
        at_once: int,
        work: Callable[[Sequence[T]], Iterable[dict[str, Any]]],
        report: Callable[[str], None],
    ) -> None:
        """A line of the stage's file for each input, in order: those that are missing.

        Inputs are worked on in the same blocks of `at_once` wherever the stage was stopped, so the file does not depend
        on that, even where numbers depend on what is computed together.
        """
        path = self.log_of(stage)
        if path.exists():
            repair(path)
        done = count_lines(path)
        if done > total:
            raise UserError(f"{path} has {done} lines for {total} responses: it is damaged; delete it")
        if done == total:
            return
        if done:
            report(f"{stage}: {done:,} of {total:,} responses were done before")
        start = done // at_once * at_once
        rest, at, told = iter(islice(inputs(), start, None)), start, time.monotonic()
        with explained("cannot write", path):
            writer = JsonlWriter(path)
        try:
            while block := list(islice(rest, at_once)):
                beat(stage)
                for row in work(block):
                    if at >= done:
                        writer.write(row)
                    at += 1
                if time.monotonic() - told > TELL_S:
                    report(f"{stage}: {at:,} of {total:,} responses")
                    told = time.monotonic()
            writer.sync()
        finally:
            writer.close()
        report(f"{stage}: {total:,} responses")

    def rows(self, stage: str) -> Iterator[dict[str, Any]]:
        """The lines of a stage that is done."""
        for number, row in enumerate(lines(self.log_of(stage))):
            if row.problem or row.fields.get("response") != number:
                raise UserError(f"{row.where} is not of response {number}: the file is damaged; delete it")
            yield dict(row.fields)

    def _settings(self) -> dict[str, Any]:
        settings = self.path / SETTINGS
        try:
            with explained("cannot read", settings):
                found: dict[str, Any] = json.loads(settings.read_text(encoding="utf-8"))
            return found
        except ValueError:
            raise UserError(f"{settings} is damaged; delete {self.path}") from None


def count_lines(path: Path) -> int:
    with suppress(FileNotFoundError), path.open("rb") as file:
        return sum(1 for _ in file)
    return 0
