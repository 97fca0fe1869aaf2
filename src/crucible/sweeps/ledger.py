"""What was submitted: small files in <runs_dir>/.sweeps, written by the submitter, read by all.

    lock                  held while submitting, retrying or cancelling
    points/<run_id>.json  all that a worker needs for one run; the path of this file is what gets pickled
    batches/<batch>.json  one job array (or local queue): its runs in array order, cluster, resources
    failures/<run>.json   why a run ended before its run directory existed
    local/<batch>.json    how far a local queue is; its lock is held while the queue lives
    code/<version>/       a copy of the code that was submitted (crucible.sweeps.snapshot)
    logs/<batch>/         submitit's folder: pickles and the output of each job

The ledger never says how a run stands: that is in the run directories and in the queue.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pwd
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from crucible.errors import UserError
from crucible.sweeps.resources import Resources

JOB_PREFIX = "crucible-"  # SLURM job name = prefix + batch: how a job is known again in squeue


@dataclass
class Batch:
    """One job array. Element i runs `runs[i]`."""

    batch: str
    cluster: str  # "slurm" or "local"
    sweep: str
    created: float
    runs: list[str]
    resources: dict[str, Any]
    cancelled: list[str] = field(default_factory=list)

    @property
    def job_name(self) -> str:
        return JOB_PREFIX + self.batch


@dataclass(frozen=True)
class Submission:
    """The newest submission of a run."""

    batch: Batch
    index: int

    @property
    def cancelled(self) -> bool:
        return self.batch.runs[self.index] in self.batch.cancelled


@dataclass(frozen=True)
class Parcel:
    """What a cluster gets to send: a batch, a point file per run, one set of resources."""

    batch: Batch
    point_files: list[Path]
    resources: Resources
    logs: Path
    code: Path  # the folder to put in front of PYTHONPATH


class Ledger:
    def __init__(self, runs_dir: Path) -> None:
        self.folder = runs_dir / ".sweeps"

    def create(self) -> None:
        """Make the folder, or refuse one line long: no right to write, or another user's."""
        try:
            for name in ("points", "batches", "code", "logs", "failures", "local"):
                (self.folder / name).mkdir(parents=True, exist_ok=True)
            owner = self.folder.stat().st_uid
        except OSError as error:
            raise UserError(f"cannot write {self.folder}: {error.strerror}; set runs_dir=...") from None
        if owner != os.getuid():
            try:
                name = pwd.getpwuid(owner).pw_name
            except KeyError:
                name = str(owner)
            raise UserError(f"{self.folder} belongs to user {name}; submit as {name} or set runs_dir=...")

    @contextlib.contextmanager
    def lock(self, patience_s: float = 60) -> Iterator[None]:
        """Keep other submitters out. Waits for one that is at it, then raises UserError."""
        self.create()
        with open(self.folder / "lock", "a+") as file:
            deadline = time.monotonic() + patience_s
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise UserError(
                            f"another sweep.py has held {self.folder}/lock for {patience_s:.0f} s"
                        ) from None
                    time.sleep(0.1)
            yield

    def point_file(self, run_id: str) -> Path:
        return self.folder / "points" / f"{run_id}.json"

    def failure_file(self, run_id: str) -> Path:
        return self.folder / "failures" / f"{run_id}.json"

    def logs(self, batch: str) -> Path:
        return self.folder / "logs" / batch

    def write_point(self, run_id: str, content: Mapping[str, Any]) -> Path:
        path = self.point_file(run_id)
        write_json(path, content)
        return path

    def write_batch(self, batch: Batch) -> None:
        write_json(self.folder / "batches" / f"{batch.batch}.json", asdict(batch))

    def drop_batch(self, batch: Batch) -> None:
        """Forget a batch that the cluster refused."""
        (self.folder / "batches" / f"{batch.batch}.json").unlink(missing_ok=True)

    def batches(self) -> list[Batch]:
        """All batches, oldest first."""
        folder = self.folder / "batches"
        if not folder.is_dir():
            return []
        found = [Batch(**json.loads(p.read_bytes())) for p in folder.glob("*.json") if not p.name.startswith(".")]
        return sorted(found, key=lambda batch: batch.created)

    def submissions(self, batches: Iterable[Batch] | None = None) -> dict[str, Submission]:
        """The newest submission of each run."""
        newest = {}
        for batch in self.batches() if batches is None else batches:
            for index, run_id in enumerate(batch.runs):
                newest[run_id] = Submission(batch, index)
        return newest


def new_batch(cluster: str, sweep: str, runs: list[str], resources: Mapping[str, Any]) -> Batch:
    return Batch(uuid.uuid4().hex[:8], cluster, sweep, time.time(), runs, dict(resources))


def write_json(path: Path, content: Any) -> None:
    """Replace a file whole. Not synced to disk: after a power cut a submission can simply be repeated."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}")
    temporary.write_text(json.dumps(content))
    os.replace(temporary, path)
