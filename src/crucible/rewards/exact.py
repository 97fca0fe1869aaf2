"""True success as a reward."""

from __future__ import annotations

from collections.abc import Sequence

from crucible.types import Completion, Prompt, Scores, Task


class Exact:
    """`right` where the task's own checker accepts the completion, `wrong` elsewhere.

    The maths reward of the CE-GPPO scripts is +1 / -1 (arXiv 2509.20712, official code). With a
    group-normalised advantage any two values with right > wrong train alike.
    """

    needs: tuple[str, ...] = ()

    def __init__(self, *, task: Task, right: float = 1.0, wrong: float = 0.0):
        self.task, self.right, self.wrong = task, right, wrong

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Completion]) -> Scores:
        import torch

        correct = [self.task.correct(p, c.text) for p, c in zip(prompts, completions, strict=True)]
        total = torch.tensor([self.right if ok else self.wrong for ok in correct])
        return Scores(total=total, components={"exact": total})
