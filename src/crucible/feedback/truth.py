"""Which checkable principle a wording names, and how many labels of triples are true."""

from __future__ import annotations

import math
from collections.abc import Sequence

from crucible.errors import UserError, nearest
from crucible.feedback.extract import wordings
from crucible.feedback.records import FeedbackTask, Triple


def named(task: FeedbackTask) -> dict[str, str]:
    """Every wording the pipeline can give to one of the task's principles: that principle."""
    found: dict[str, str] = {}
    for principle in task.principles():
        for base in (principle, *task.paraphrases(principle)):
            for words in wordings(base):
                found.setdefault(words, principle)
    return found


def label_accuracy(task: FeedbackTask, triples: Sequence[Triple]) -> float:
    """Of the triples whose principle a program can check, the share whose label is true; NaN without any."""
    known = named(task)
    right = [
        task.fulfils(t.prompt, t.response, known[t.principle]) == t.fulfilled for t in triples if t.principle in known
    ]
    return sum(right) / len(right) if right else math.nan


def refuse_unknown(task: FeedbackTask, principle: str | None) -> None:
    """Errors: UserError for a principle that is none of the task's."""
    if principle is not None and principle not in task.principles():
        raise UserError(
            f"recipe.principle: data={task.name} has no principle {principle!r}"
            f"{nearest(principle, task.principles())}; it has: {'; '.join(task.principles())}"
        )
