"""Constraints between choices, declared on the function that has them.

    @needs(aggregation=["seq_mean_token_mean"], min_samples_per_prompt=2)
    def my_loss(...): ...

The check before a run reads the arguments from the source, so they must be literals. The words a
constraint may use are listed in `crucible.config.rules`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
ATTRIBUTE = "__needs__"


def needs(**constraints: Any) -> Callable[[T], T]:
    """Mark a function or class with what it needs from the rest of the config. Changes no behaviour."""

    def mark(target: T) -> T:
        setattr(target, ATTRIBUTE, constraints)
        return target

    return mark
