"""What a test does to runs from outside: a gate at which they wait in the middle of a step, and an outage.

What is to be hit is then in progress. Neither is part of any config: a run that waited has the id, and must have the
numbers, of one that did not.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

GATE = "TRIAL_GATE"  # variable: a folder; runs wait while `closed` is in it, except those with a file of their own

OUTAGE = "TRIAL_JUDGE_OUTAGE"  # variable: trial_judge gives no answers while this file exists


class Gate:
    """The test's side."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True)
        (self.folder / "closed").touch()

    def let(self, run_id: str) -> None:
        (self.folder / run_id).touch()

    def open(self) -> None:
        (self.folder / "closed").unlink()


def pass_gate(run_id: str) -> None:
    """Return at once where there is no gate."""
    folder = Path(os.environ.get(GATE, os.devnull))
    while (folder / "closed").exists() and not (folder / run_id).exists():
        time.sleep(0.05)
