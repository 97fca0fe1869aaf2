"""Does a data set have what a reward reads, and does it fit the model? Asked before anything is sampled."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from random import Random
from typing import Any

from crucible.errors import UserError, nearest
from crucible.types import AsksFurther, Prompt

GENERATED = 8  # prompts looked at of data that is made without end
AT_ONCE = 1024  # prompts made into tokens at a time


def refuse_misfit(task: Any, reward: Any) -> None:
    """Raise UserError where a prompt lacks a key of `reference` that the reward needs: naming the key and the prompt.

    All prompts of a finite data set are looked at.
    """
    needs_of = getattr(reward, "needs_of", lambda prompt: getattr(reward, "needs", ()))  # a route differs by prompt
    for prompt in _prompts(task):
        for key in needs_of(prompt):
            value = prompt.reference.get(key)
            if isinstance(value, str | list | tuple | dict) and not value:
                raise UserError(f"{_reads(reward, key)}; that of prompt {prompt.id} in data={task.name} is empty")
            if value is None:
                raise UserError(f"{_reads(reward, key)}; {_has(task, prompt)}{nearest(key, prompt.reference)}")


def refuse_unjudged(task: Any) -> None:
    """Errors: UserError for data without anything that says which answers are right."""
    if not getattr(task, "judges", True):
        raise UserError(
            f"data={task.name}: nothing says whether an answer is right, which this algorithm's metrics need; set "
            "data.answer_column or data/check"
        )


def refuse_unfit(task: Any, policy: Any, max_tokens: int) -> None:
    """Raise UserError where a prompt leaves no room for `max_tokens` in the model's context, or has a character that
    its tokenizer lacks. All prompts of a finite data set are looked at, and those an evaluation asks."""
    prompts = _prompts(task)
    while some := list(islice(prompts, AT_ONCE)):
        policy.check_prompts(some, max_tokens)


def _prompts(task: Any) -> Iterator[Prompt]:
    """All prompts of a finite data set, a few of an endless one; then those held out, and what else is asked."""
    pool = task.train_pool() if hasattr(task, "train_pool") else islice(task.train_prompts(Random(0)), GENERATED)
    return chain(pool, task.eval_prompts(), task.further_prompts() if isinstance(task, AsksFurther) else ())


def _reads(reward: Any, key: str) -> str:
    parts = getattr(reward, "parts", {})
    reader = next((name for name, part in parts.items() if key in part.needs), getattr(reward, "name", None))
    return f"reward {reader or type(reward).__name__} reads reference {key} of each prompt"


def _has(task: Any, prompt: Prompt) -> str:
    has = ", ".join(key for key, value in prompt.reference.items() if value is not None) or "none"
    instead = "; a column is kept with +data.reference.KEY=COLUMN" if hasattr(task, "train_pool") else ""
    return f"data={task.name} has {has} (prompt {prompt.id}){instead}"
