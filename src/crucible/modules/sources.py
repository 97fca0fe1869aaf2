"""Where given answers come from: a data set that has them, or a generated task that can write them without end."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from crucible.errors import UserError
from crucible.types import Demonstrated, Demonstration, Judged, Labelled, Preference, Preferred, Scored

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Source(Generic[T]):
    """A finite `pool` or `endless`, and what is kept for measuring."""

    pool: Sequence[T] | None
    endless: Callable[[random.Random], Iterator[T]] | None
    held_out: Sequence[T]


def demonstrations(task: Any) -> Source[Demonstration]:
    """Worked answers: the data's own, else those a generated task writes (as for a warm-up). Errors: UserError."""

    def written(rng: random.Random) -> Iterator[Demonstration]:
        own = random.Random(rng.random())
        for prompt in task.warmup_prompts(rng):
            yield Demonstration(prompt, task.demonstrate(prompt, own))

    pool = task.demonstrations() if isinstance(task, Demonstrated) else ()
    if pool:
        return Source(pool, None, held_out(task, "demonstrations"))
    if hasattr(task, "demonstrate") and hasattr(task, "warmup_prompts"):
        kept = [Demonstration(p, task.demonstrate(p, random.Random(f"held out {p.id}"))) for p in task.eval_prompts()]
        return Source(None, written, kept)
    raise UserError(_lacking(task, "worked answers", "data.completion_column=..."))


def preferences(task: Any) -> Source[Preference]:
    """Pairs of answers: the data's own, else a demonstration and a corrupted answer of a generated task."""

    def pair(prompt: Any, rng: random.Random) -> Preference:
        return Preference(prompt, task.demonstrate(prompt, rng), task.corrupt(prompt, rng))

    def written(rng: random.Random) -> Iterator[Preference]:
        own = random.Random(rng.random())
        made = (pair(prompt, own) for prompt in task.train_prompts(rng))
        return (found for found in made if found.chosen != found.rejected)

    pool = task.preferences() if isinstance(task, Preferred) else ()
    if pool:
        return Source(pool, None, held_out(task, "preferences"))
    if hasattr(task, "demonstrate") and hasattr(task, "corrupt"):
        kept = [pair(prompt, random.Random(f"held out {prompt.id}")) for prompt in task.eval_prompts()]
        return Source(None, written, [found for found in kept if found.chosen != found.rejected])
    raise UserError(_lacking(task, "pairs of answers", "data.chosen_column=... data.rejected_column=..."))


def labelled(task: Any) -> Source[Labelled]:
    """Answers called good or bad: the data's own, else a generated task's, good and bad with equal probability."""

    def one(prompt: Any, rng: random.Random) -> Labelled:
        good = rng.random() < 0.5
        return Labelled(prompt, (task.demonstrate if good else task.corrupt)(prompt, rng), good)

    def written(rng: random.Random) -> Iterator[Labelled]:
        own = random.Random(rng.random())
        return (one(prompt, own) for prompt in task.train_prompts(rng))

    pool = task.labelled() if isinstance(task, Judged) else ()
    if pool:
        return Source(pool, None, held_out(task, "labelled"))
    if hasattr(task, "demonstrate") and hasattr(task, "corrupt"):
        kept = [one(prompt, random.Random(f"held out {prompt.id}")) for prompt in task.eval_prompts()]
        return Source(None, written, kept)
    raise UserError(_lacking(task, "answers called good or bad", "data.completion_column=... data.label_column=..."))


def scored(task: Any) -> Source[Scored]:
    """Answers with a number, of a data set that has them. Errors: UserError."""
    if pool := task.scored() if hasattr(task, "scored") else ():
        return Source(pool, None, held_out(task, "scored"))
    raise UserError(
        f"data={task.name} has no scored answers to learn from: use data=jsonl or data=hf with "
        "data.completion_column=... data.score_column=..."
    )


def held_out(task: Any, kind: str) -> Sequence[Any]:
    """The answers of a data set that are kept for measuring; none where it keeps none."""
    method = getattr(task, f"held_out_{kind}", None)
    return () if method is None else method()


def _lacking(task: Any, what: str, columns: str) -> str:
    own = hasattr(task, "train_pool")
    return f"data={task.name} has no {what} to learn from: " + (
        f"name their columns with {columns}" if own else f"use data=chain, or data=jsonl with {columns}"
    )
