"""The queue process of cluster=local: python -m crucible.sweeps.local_queue LEDGER BATCH.

Runs the elements of a batch through submitit's local executor, each in a slot. Slots are locks in
LEDGER/local, so several queues share one machine without exceeding `at_once`.
"""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import sys
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

from crucible.sweeps.ledger import Ledger, write_json
from crucible.sweeps.resources import Resources
from crucible.sweeps.signals import patient_python
from crucible.sweeps.worker import work

if TYPE_CHECKING:
    import submitit

POLL_S = 0.2


@dataclasses.dataclass
class _Running:
    job: submitit.Job[str]
    slot: IO[str]


def free_slot(folder: Path, count: int) -> tuple[int, IO[str]] | None:
    """Number and lock of a slot nobody holds."""
    for number in range(count):
        file = open(folder / f"slot.{number}", "w")  # noqa: SIM115 - held as long as the run goes on
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            continue
        return number, file
    return None


def serve(ledger: Ledger, name: str) -> None:
    """Run every element of the batch once, `at_once` at a time, skipping those cancelled meanwhile."""
    folder = ledger.folder / "local"
    plan = json.loads((folder / f"{name}.plan").read_bytes())
    state: dict[str, int] = {}
    waiting = list(range(len(plan["points"])))
    running: dict[int, _Running] = {}
    while waiting or running:
        for index in [i for i, at in running.items() if at.job.done()]:
            running.pop(index).slot.close()
            state[str(index)] = 0
            write_json(folder / f"{name}.json", state)
        while waiting and (slot := free_slot(folder, plan["at_once"])):
            index = waiting.pop(0)
            if _cancelled(ledger, name, index):
                state[str(index)] = 0
                slot[1].close()
            else:
                job = _start(ledger.logs(name), Path(plan["points"][index]), slot[0], plan["gpus"])
                running[index] = _Running(job, slot[1])
                state[str(index)] = int(job.job_id)
            write_json(folder / f"{name}.json", state)
        time.sleep(POLL_S)


def _cancelled(ledger: Ledger, name: str, index: int) -> bool:
    batch = json.loads((ledger.folder / "batches" / f"{name}.json").read_bytes())
    return batch["runs"][index] in batch["cancelled"]


def _start(logs: Path, point_file: Path, slot: int, gpus: list[int]) -> submitit.Job[str]:
    import submitit

    resources = Resources(**json.loads(point_file.read_bytes())["resources"])
    os.environ.update(resources.variables())
    executor = submitit.LocalExecutor(logs, max_num_timeout=0, python=patient_python())
    executor.update_parameters(
        timeout_min=resources.hours * 60,
        tasks_per_node=resources.tasks,
        signal_delay_s=resources.notice_seconds,
        stderr_to_stdout=True,
        gpus_per_node=resources.gpus,
        visible_gpus=gpus[slot * resources.gpus : (slot + 1) * resources.gpus],
    )
    return executor.submit(work, str(point_file))


if __name__ == "__main__":
    serve(Ledger(Path(sys.argv[1]).parent), sys.argv[2])
