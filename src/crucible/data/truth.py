"""True success of many answers at once. Of data whose check can fail (a time-out), some verdicts are unknown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from crucible.types import Prompt


def judged(task: Any, prompts: Sequence[Prompt], texts: Sequence[str]) -> list[bool | None]:
    """The task's own verdict on each answer; None where its check gave none."""
    if hasattr(task, "judge"):
        verdicts: list[bool | None] = task.judge(prompts, texts)
        return verdicts
    return [task.correct(prompt, text) for prompt, text in zip(prompts, texts, strict=True)]


def truth_metrics(verdicts: Sequence[bool | None]) -> dict[str, float]:
    """Share of right answers among those with a verdict, and the share without one."""
    known = [verdict for verdict in verdicts if verdict is not None]
    success = sum(known) / len(known) if known else math.nan
    return {"true/success": success, "true/unknown": 1.0 - len(known) / len(verdicts)}
