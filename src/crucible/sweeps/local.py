"""The same sweeps on this machine: a queue process that outlives the launcher and keeps n runs going."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated, Any, ClassVar

from crucible.errors import UserError
from crucible.sweeps.ledger import Batch, Ledger, Parcel, write_json
from crucible.sweeps.queue import Element, Queue, Queued
from crucible.sweeps.resources import Resources


@dataclass(frozen=True)
class Local:
    """This machine. `at_once` runs at a time, counted over all sweeps of one runs_dir."""

    resources: Mapping[str, Any]
    at_once: Annotated[int, ">= 1"] = 2
    gpus: Sequence[Annotated[int, ">= 0"]] = ()  # device numbers that runs may use; slot k takes the k-th share
    kind: ClassVar[str] = "local"

    def layers(self, command_line: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Resources below and above those of a sweep file: what one machine has goes above its plans."""
        return {}, {**self.resources, **command_line}

    def refuse(self, resources: Resources) -> None:
        """Raise UserError for what one machine cannot give."""
        if self.at_once < 1:
            raise UserError(f"cluster.at_once={self.at_once}: must be at least 1")
        if resources.nodes > 1:
            raise UserError(f"cluster=local has one node, and a run asks for {resources.nodes}; set resources.nodes=1")
        if resources.gpus * self.at_once > len(self.gpus):
            raise UserError(
                f"cluster=local: {self.at_once} runs of {resources.gpus} GPUs each, and cluster.gpus names "
                f"{len(self.gpus)}; set cluster.at_once, cluster.gpus=[0,1,...] or resources.gpus=0"
            )

    def chunk(self) -> int:
        return 100_000

    def send(self, parcel: Parcel) -> None:
        """Start the queue process and return. It holds the batch's lock from before it exists.

        Setup lines of a cluster (modules, containers) are not run: the shell of the launcher is the setup.
        """
        name, ledger = parcel.batch.batch, parcel.logs.parent.parent
        parcel.logs.mkdir(parents=True, exist_ok=True)
        plan = {"points": [str(p) for p in parcel.point_files], "at_once": self.at_once, "gpus": list(self.gpus)}
        write_json(ledger / "local" / f"{name}.plan", plan)
        path = os.pathsep.join(filter(None, [str(parcel.code), os.environ.get("PYTHONPATH", "")]))
        with open(ledger / "local" / f"{name}.lock", "w") as lock, open(parcel.logs / "queue.log", "a") as log:
            fcntl.flock(lock, fcntl.LOCK_EX)
            subprocess.Popen(
                [sys.executable, "-m", "crucible.sweeps.local_queue", str(ledger), name],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=[lock.fileno()],
                env={**os.environ, "PYTHONPATH": path},
            )


def local_queue(ledger: Ledger, batches: Sequence[Batch]) -> Queue:
    """All elements of local batches that wait or run."""
    queue: Queue = {}
    for batch in batches:
        alive = queue_alive(ledger, batch)
        state = read_state(ledger, batch)
        for index, run in enumerate(batch.runs):
            pid = state.get(str(index))
            if pid is None and alive and run not in batch.cancelled:  # the queue will skip it when its turn comes
                queue[Element(batch.batch, index)] = Queued(job="", waiting=True, note="local queue")
            elif pid and controller_alive(pid, ledger.logs(batch.batch)):
                queue[Element(batch.batch, index)] = Queued(job=str(pid), waiting=False, node="local")
    return queue


def queue_alive(ledger: Ledger, batch: Batch) -> bool:
    """Does the queue process of this batch live? It holds the lock while it does."""
    try:
        with open(ledger.folder / "local" / f"{batch.batch}.lock") as lock:
            return not _lock_now(lock)
    except FileNotFoundError:
        return False


def _lock_now(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def read_state(ledger: Ledger, batch: Batch) -> dict[str, int]:
    """{element: process id of its controller, or 0 once it has ended}; elements that wait are absent."""
    try:
        return json.loads((ledger.folder / "local" / f"{batch.batch}.json").read_bytes())
    except FileNotFoundError:
        return {}


def controller_alive(pid: int, logs: Path) -> bool:
    """Is this process id still submitit's controller of a job in `logs`, and not a zombie?"""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return False
    return str(logs) in command


def stop(jobs: Sequence[str]) -> None:
    """TERM to controllers, which hand it to their tasks."""
    for pid in jobs:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGTERM)
