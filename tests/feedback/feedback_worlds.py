"""Small pieces for the tests of the feedback pipeline."""

from __future__ import annotations

import random
from itertools import islice

from crucible.data.chain import Chain
from crucible.feedback.records import Finding, Judgement, Response


def responses(count: int, seed: int = 0) -> tuple[Chain, list[Response]]:
    """Right and flawed workings in equal shares."""
    task, rng = Chain(), random.Random(seed)
    prompts = islice(task.train_prompts(random.Random(seed)), count)
    return task, [
        Response(p, task.working(p) if i % 2 else task.corrupt(p, rng), "right" if i % 2 else "flawed")
        for i, p in enumerate(prompts)
    ]


def finding(
    annotator: str, principle: str, judgement: Judgement = "yes", quote: str = "", response: int = 0
) -> Finding:
    return Finding(response, annotator, principle, quote or principle, judgement)
