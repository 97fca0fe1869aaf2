"""A sign of life in the run directory, and an end to runs that hang."""

from __future__ import annotations

import faulthandler
import functools
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, Any

from crucible import pulse
from crucible.errors import UserError
from crucible.ranks import Ranks
from crucible.rundir import RunDir

FILE = "heartbeat.json"
HUNG = 75  # the exit code of a run that was ended here: EX_TEMPFAIL, the same command may do better
LOOK_S = 10.0
LAST_WORDS_S = 20.0  # for writing stacks and status, where the file system may be what hangs


class Watchdog:
    """A thread beside the training loop of the main process.

    Every 10 s it replaces heartbeat.json: `time` now, `progress` when something last got done (seconds since 1970),
    `doing`, attempt, pid, host. What counts as progress are signs (crucible.pulse): a pass of the policy, an answer of
    a verifier, a row of metrics, a line to the terminal; a long evaluation is full of them.

    Where nothing gets done for `minutes` (null: never mind), the stacks of all threads go to stacks.<attempt>.txt,
    status.json says failed and why, and the process ends with code 75. Time in which the process was stopped or the
    machine asleep does not count.
    Errors: UserError for minutes that are not above 0.
    """

    def __init__(self, *, minutes: Annotated[float, "> 0"] | None = 60.0):
        if minutes is not None and not minutes > 0:
            raise UserError(f"watchdog.minutes={minutes}: must be above 0, or null for a run that is never ended")
        self.patience_s = None if minutes is None else 60.0 * minutes
        self.look_s = LOOK_S if self.patience_s is None else min(LOOK_S, self.patience_s / 4)

    @contextmanager
    def watching(self, run_dir: Any, report: Callable[[str], None]) -> Iterator[None]:
        """While the body lasts. Ranks that are not the main one wait for it, so nobody watches them."""
        if not isinstance(run_dir, RunDir):
            yield
            return
        over = threading.Event()
        thread = threading.Thread(target=self._watch, args=(run_dir, report, over), name="watchdog", daemon=True)
        pulse.beat("starting")
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _watch(self, run_dir: RunDir, report: Callable[[str], None], over: threading.Event) -> None:
        seen, progress, silent_s, looked = pulse.beats(), time.time(), 0.0, time.monotonic()
        heard = True
        while True:
            if run_dir.owns():
                heard = self._beat(run_dir, progress, report if heard else None)
            if over.wait(self.look_s):
                return
            passed, looked = time.monotonic() - looked, time.monotonic()
            if seen != pulse.beats():
                seen, progress, silent_s = pulse.beats(), time.time(), 0.0
            else:
                silent_s += min(passed, 2 * self.look_s)
            if self.patience_s is not None and silent_s >= self.patience_s:
                end(run_dir, f"nothing got done for {silent_s / 60:.3g} minutes while {pulse.doing()}")

    def _beat(self, run_dir: RunDir, progress: float, report: Callable[[str], None] | None) -> bool:
        """Was heartbeat.json written? What keeps it from being written is reported, and is no reason to stop."""
        facts = {
            "time": time.time(), "progress": progress, "doing": pulse.doing(), "attempt": run_dir.attempt,
            "pid": os.getpid(), "host": socket.gethostname(),
        }  # fmt: skip
        path = run_dir.path / FILE
        temporary = path.with_name(f".{FILE}.tmp-{os.getpid()}")
        try:
            temporary.write_text(json.dumps(facts) + "\n")
            os.replace(temporary, path)
        except OSError as error:
            if report is not None:
                report(f"no sign of life can be written to {path}: {error.strerror}")
            return False
        return True


def together(ranks: Ranks, run_dir: Any) -> AbstractContextManager[None]:
    """While it lasts, a rank that is lost ends this one too: with an error that names it, or where this one hangs."""
    if ranks.lifeline is None:
        return nullcontext()
    return ranks.lifeline.holding(functools.partial(end, run_dir) if isinstance(run_dir, RunDir) else None)


def end(run_dir: RunDir, why: str) -> None:
    """The last words of a run that hangs, and its end."""
    path = run_dir.path / f"stacks.{run_dir.attempt:03d}.txt"
    writer = threading.Thread(target=_last_words, args=(run_dir, path, why), daemon=True)
    writer.start()
    writer.join(LAST_WORDS_S)
    line = f"error: {why}; the stacks of all threads are in {path}; the same command goes on from the last checkpoint"
    print(line, file=sys.stderr, flush=True)
    os._exit(HUNG)


def _last_words(run_dir: RunDir, path: Path, why: str) -> None:
    with path.open("w") as file:
        print(f"process {os.getpid()}: {why}", file=file, flush=True)
        faulthandler.dump_traceback(file, all_threads=True)
    run_dir.write_status("failed", error=f"{why}; see {path.name}")


def read_heartbeat(run: Path) -> dict[str, Any] | None:
    """heartbeat.json, or None where there is none, or none that can be read: it is only a sign."""
    try:
        value = json.loads((run / FILE).read_bytes())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None
