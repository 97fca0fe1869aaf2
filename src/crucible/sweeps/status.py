"""How the runs of a sweep stand: the run directories, joined with one look at the queue.

| in the run directory | queue: waiting | queue: running | in no queue |
|---|---|---|---|
| nothing   | pending   | running  | new; dead once it was submitted; cancelled by action=cancel |
| running   | preempted | running  | dead, or cancelled |
| preempted | preempted | running  | dead, or cancelled |
| failed    | pending   | running  | failed |
| finished  | finished  | finished | finished |

A job that SLURM holds for ever ("launch failed requeued held") is dead although it is in the queue.

Neither submitit's job states nor SLURM's accounting is asked: both are wrong after a requeue, and know
nothing of an array element that was cancelled while it waited. When the queue gives no answer, what it
would decide is "unknown", and nothing is sent.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from crucible.errors import UserError
from crucible.rundir.status import read_status
from crucible.sweeps.expansion import Point
from crucible.sweeps.ledger import Batch, Ledger, Submission
from crucible.sweeps.local import local_queue
from crucible.sweeps.queue import Element, Queue, Queued, QueueSilent
from crucible.sweeps.slurm import squeue

State = Literal["new", "pending", "running", "preempted", "finished", "failed", "dead", "cancelled", "unknown"]
STATES: tuple[State, ...] = (
    "running", "pending", "preempted", "failed", "dead", "cancelled", "unknown", "new", "finished",
)  # fmt: skip
TAIL_BYTES = 16_384


@dataclass(frozen=True)
class Standing:
    """One run, as a row of the status table."""

    point: Point
    state: State
    step: int = 0
    attempt: int = 0
    metric: float | None = None
    node: str = ""
    time_left: str = ""
    note: str = ""
    job: str = ""  # what cancels it, "" when there is nothing to signal
    element: Element | None = None


@dataclass(frozen=True)
class Survey:
    standings: list[Standing]
    silence: str = ""  # why the queue gave no answer

    def having(self, *states: State) -> list[Standing]:
        return [standing for standing in self.standings if standing.state in states]


def survey(points: Sequence[Point], ledger: Ledger, metric: str | None = None) -> Survey:
    """Where every point stands. The queue is read before the files: a run that ends in between counts as ended."""
    batches = ledger.batches()
    submissions = ledger.submissions(batches)
    wanted = {s.batch.batch: s.batch for p in points if (s := submissions.get(p.run_id))}
    queue, silence = _queues(list(wanted.values()), ledger)
    rows = [_standing(p, submissions.get(p.run_id), queue, bool(silence), ledger, metric) for p in points]
    return Survey(rows, silence)


def judge(recorded: str | None, submission: Submission | None, queued: Queued | None, silent: bool) -> State:
    """The table at the top of this file."""
    if recorded == "finished":
        return "finished"
    if queued is not None and not queued.waiting:
        return "running"
    if queued is not None and queued.stuck:
        return "dead"
    if queued is not None:
        return "preempted" if recorded in ("running", "preempted") else "pending"
    if submission is not None and submission.batch.cluster == "slurm" and silent:
        return "unknown"
    if submission is not None and submission.cancelled:
        return "cancelled"
    if recorded == "failed":
        return "failed"
    if submission is None and recorded is None:
        return "new"
    return "dead"


def _queues(batches: Sequence[Batch], ledger: Ledger) -> tuple[Queue, str]:
    queue = local_queue(ledger, [b for b in batches if b.cluster == "local"])
    on_slurm = [b for b in batches if b.cluster == "slurm"]
    try:
        return (queue | squeue(on_slurm) if on_slurm else queue), ""
    except QueueSilent as error:
        return queue, str(error)


def _standing(
    point: Point, submission: Submission | None, queue: Queue, silent: bool, ledger: Ledger, metric: str | None
) -> Standing:
    element = Element(submission.batch.batch, submission.index) if submission else None
    queued = queue.get(element) if element else None
    recorded, unreadable = _recorded(point, ledger)
    state = judge(recorded.get("state"), submission, queued, silent)
    if state == "dead" and submission is None and _locked(point.run_dir):
        state = "running"  # started by hand with train.py
    note = (queued.note if queued else "") or unreadable
    if not note and state in ("failed", "dead"):
        note = _failure(point, ledger)
    if not note and state in ("failed", "dead", "preempted", "cancelled") and recorded.get("error"):
        note = str(recorded["error"])
    if state == "dead" and not note:
        note = (
            f"last seen {recorded.get('state', 'nowhere')}; output in {ledger.logs(element.batch) if element else '-'}"
        )
    return Standing(
        point=point,
        state=state,
        step=int(recorded.get("step") or 0),
        attempt=int(recorded.get("attempt") or 0),
        metric=last_metric(point.run_dir, metric) if metric and recorded else None,
        node=(queued.node if queued else "") or (str(recorded.get("host", "")) if state != "pending" else ""),
        time_left=queued.time_left if queued else "",
        note=note,
        job=queued.job if queued else "",
        element=element,
    )


def _recorded(point: Point, ledger: Ledger) -> tuple[Mapping[str, Any], str]:
    """What the run directory says, or why it says nothing."""
    try:
        if (status := read_status(point.run_dir)) is not None:
            return status, ""
    except UserError as error:
        return {}, str(error)
    failure = _failure(point, ledger)
    return ({"state": "failed", "error": failure}, "") if failure else ({}, "")


def _failure(point: Point, ledger: Ledger) -> str:
    """Why the last submission of a run failed, where the run directory cannot say it."""
    try:
        return str(json.loads(ledger.failure_file(point.run_id).read_bytes())["error"])
    except FileNotFoundError:
        return ""


def _locked(run_dir: Path) -> bool:
    from crucible.rundir.lock import is_locked

    return is_locked(run_dir)


def last_metric(run_dir: Path, name: str) -> float | None:
    """The newest value of a metric, from the end of the newest metrics file that has it; None if none has."""
    try:
        files = sorted(
            e.name for e in os.scandir(run_dir) if e.name.startswith("metrics.") and e.name.endswith(".jsonl")
        )
    except OSError:
        return None
    for file in reversed(files):
        with open(run_dir / file, "rb") as handle:
            size = handle.seek(0, os.SEEK_END)
            handle.seek(max(0, size - TAIL_BYTES))
            lines = handle.read().splitlines()
        for line in reversed(lines):
            try:
                value = json.loads(line).get(name)
            except (ValueError, AttributeError):  # the cut first line, or one torn by a kill
                continue
            if isinstance(value, int | float):
                return float(value)
    return None
