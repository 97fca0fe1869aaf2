"""True success as a reward."""

from __future__ import annotations

import math
from collections.abc import Sequence

from crucible.data.truth import judged
from crucible.types import Completion, Context, Prompt, Scores, Task


class Exact:
    """`right` where the task's own checker accepts the completion, `wrong` elsewhere.

    The maths reward of the CE-GPPO scripts is +1 / -1 (arXiv 2509.20712, official code). With a
    group-normalised advantage any two values with right > wrong train alike. A row without a verdict is invalid.
    """

    needs: tuple[str, ...] = ()

    def __init__(self, *, task: Task, right: float = 1.0, wrong: float = 0.0):
        self.task, self.right, self.wrong = task, right, wrong

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Completion], context: Context) -> Scores:
        import torch

        verdicts = judged(self.task, prompts, [completion.text for completion in completions])
        values = {True: self.right, False: self.wrong, None: 0.0}
        total = torch.tensor([values[verdict] for verdict in verdicts])
        known = torch.tensor([verdict is not None for verdict in verdicts])
        return Scores(
            total=total,
            components={"exact": torch.where(known, total, math.nan)},
            valid=None if bool(known.all()) else known,
        )
