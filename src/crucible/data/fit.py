"""Does a data set have what a reward reads? Asked before any model is loaded."""

from __future__ import annotations

from itertools import chain, islice
from random import Random
from typing import Any

from crucible.errors import UserError, nearest
from crucible.types import Prompt

GENERATED = 8  # prompts looked at of data that is made without end


def refuse_misfit(task: Any, reward: Any) -> None:
    """Raise UserError where a prompt lacks a key of `reference` that the reward needs: naming the key and the prompt.

    All prompts of a finite data set are looked at.
    """
    needs_of = getattr(reward, "needs_of", lambda prompt: getattr(reward, "needs", ()))  # a route differs by prompt
    pool = task.train_pool() if hasattr(task, "train_pool") else islice(task.train_prompts(Random(0)), GENERATED)
    for prompt in chain(pool, task.eval_prompts()):
        for key in needs_of(prompt):
            value = prompt.reference.get(key)
            if isinstance(value, str | list | tuple | dict) and not value:
                raise UserError(f"{_reads(reward, key)}; that of prompt {prompt.id} in data={task.name} is empty")
            if value is None:
                raise UserError(f"{_reads(reward, key)}; {_has(task, prompt)}{nearest(key, prompt.reference)}")


def _reads(reward: Any, key: str) -> str:
    parts = getattr(reward, "parts", {})
    reader = next((name for name, part in parts.items() if key in part.needs), getattr(reward, "name", None))
    return f"reward {reader or type(reward).__name__} reads reference {key} of each prompt"


def _has(task: Any, prompt: Prompt) -> str:
    has = ", ".join(key for key, value in prompt.reference.items() if value is not None) or "none"
    instead = "; a column is kept with +data.reference.KEY=COLUMN" if hasattr(task, "train_pool") else ""
    return f"data={task.name} has {has} (prompt {prompt.id}){instead}"
