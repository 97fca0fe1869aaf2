"""A program that opens a run and hangs, or gets on slowly: what the watchdog is for. Started by its test."""

from __future__ import annotations

import sys
import threading
import time

from crucible import pulse
from crucible.modules.watchdog import Watchdog
from crucible.rundir import RunDir


def wait_for_ever() -> None:
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()  # a deadlock, as in a collective whose other side is gone


if __name__ == "__main__":
    path, how = sys.argv[1:]
    with RunDir.open(path, {"seed": 1}, report=print) as run, Watchdog(minutes=1.0 / 60).watching(run, print):
        pulse.beat("sampling")
        if how == "hang":
            wait_for_ever()
        for _ in range(30):
            time.sleep(0.1)
            pulse.beat()
        run.write_status("finished")
