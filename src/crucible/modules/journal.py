"""Where the metrics of a run go: its own files first, then whatever logger mirrors them."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from typing import Any

from crucible.pulse import beat
from crucible.rundir import RunDir


class Journal:
    """`row` writes one line of metrics; `report` tells the person at the terminal."""

    def __init__(self, run_dir: RunDir, logger: Any, report: Callable[[str], None]):
        self.run_dir, self.logger, self.report = run_dir, logger, report

    def row(self, row: dict[str, Any]) -> None:
        beat()
        self.run_dir.write_metrics(row)
        self.logger.log(row)


def tell(line: str) -> None:
    """One line to the terminal, at once, also through a pipe."""
    beat()
    print(line, file=sys.stdout, flush=True)


def silent(line: str) -> None:
    """What the ranks say that are not the main one."""


class Pace:
    """How fast things go: seconds a step (median of the recent ones) and the time left."""

    def __init__(self, total: int):
        self.total, self.times, self.last = total, list[float](), time.perf_counter()

    def tick(self, done: int) -> str:
        now = time.perf_counter()
        self.times = [*self.times[-19:], now - self.last]
        self.last = now
        pace = sorted(self.times)[len(self.times) // 2]
        left = math.ceil(pace * (self.total - done))
        return f"{pace:.2f} s/step, {left // 60}:{left % 60:02d} left"
