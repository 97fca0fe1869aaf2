"""Responses for the annotators: demonstrations, answers with a known flaw, and a policy's own samples."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from crucible.errors import UserError
from crucible.feedback.records import Response
from crucible.types import Prompt, Rollouts, Sampling

Generate = Callable[[Sequence[Prompt], int, Sampling], Rollouts]
SAMPLES_PER_PROMPT = 4


def collect(
    task: Any,
    prompts: Iterator[Prompt],
    count: int,
    *,
    generate: Generate | None,
    sampled_from: Iterator[Prompt],
    demonstration_share: float,
    sample_share: float,
    max_tokens: int,
    seed: int,
) -> list[Response]:
    """`count` responses: shares of demonstrations and of samples, the rest flawed by program.

    `prompts` are for demonstrations and flaws, `sampled_from` for samples (`SAMPLES_PER_PROMPT` each, at
    temperature 1), which match what reinforcement learning will show the reward model. Without `generate`
    (no policy) their share goes to flaws.
    """
    if not 0 <= demonstration_share <= 1 or not 0 <= sample_share <= 1 - demonstration_share:
        raise UserError(
            f"feedback: demonstration_share={demonstration_share} and sample_share={sample_share} must be shares "
            "whose sum is at most 1"
        )
    rng = random.Random(f"responses {seed}")
    samples = round(count * sample_share / SAMPLES_PER_PROMPT) * SAMPLES_PER_PROMPT if generate else 0
    written = count - samples
    demonstrations = min(written, round(count * demonstration_share))
    out: list[Response] = []
    for i, prompt in enumerate(islice(prompts, written)):
        if i < demonstrations:
            out.append(Response(prompt, task.demonstrate(prompt, rng), "demonstration"))
        else:
            out.append(Response(prompt, task.corrupt(prompt, rng), "flawed"))
    if generate and samples:
        drawn = list(islice(sampled_from, samples // SAMPLES_PER_PROMPT))
        rollouts = generate(drawn, SAMPLES_PER_PROMPT, Sampling(max_tokens=max_tokens, seed=seed))
        out += [Response(p, t, "sample") for p, t in zip(rollouts.prompts, rollouts.texts, strict=True)]
    rng.shuffle(out)
    return out
