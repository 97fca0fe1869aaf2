"""The main job's own checker as a reward, behaving as a judge over a network may: it keeps a run waiting, and fails."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from trial_gate import OUTAGE, pass_gate

from crucible.rewards.exact import Exact
from crucible.types import Completion, Context, Prompt, Scores, Task

PATIENCE = 3  # calls of a process before it may have to wait: the first evaluation and two steps


class Judge(Exact):
    """Exact, on a bad day."""

    def __init__(self, *, task: Task, path: Path, right: float = 1.0, wrong: float = 0.0) -> None:
        super().__init__(task=task, right=right, wrong=wrong)
        self.run_id, self.calls = path.name, 0

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Completion], context: Context) -> Scores:
        self.calls += 1
        if self.calls > PATIENCE:
            pass_gate(self.run_id)
        if os.path.exists(os.environ.get(OUTAGE, "")):
            raise ConnectionError("the judge does not answer")
        return super().__call__(prompts, completions, context)
