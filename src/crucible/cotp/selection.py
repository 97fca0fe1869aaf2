"""What a choice of data/select gets and gives: a pool of chains with a core set, and which of them to train on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from crucible.cotp.chains import CoT
from crucible.errors import UserError
from crucible.types import Prompt

Patterns = list[list[str]]


@dataclass(frozen=True)
class Pool:
    """`core` are the t chosen chains, `corpus` all chains of their questions (which patterns matter); `per_core` is o.

    `patterns` gives the pattern chains of some chains, `prompts` the prompt of each question. `task` is the data set
    that asks, for a reference model that is made for it.
    """

    items: Sequence[CoT]
    core: Sequence[CoT]
    corpus: Sequence[CoT]
    per_core: int
    prompts: Mapping[str, Prompt]
    patterns: Callable[[Sequence[CoT]], Patterns]
    task: Any
    cache_dir: Path
    report: Callable[[str], None]

    @property
    def wanted(self) -> int:
        """t * o. Errors: UserError where the pool has fewer."""
        cores, wanted = len(self.core), len(self.core) * self.per_core
        if len(self.items) < wanted:
            raise UserError(
                f"the pool has {len(self.items):,} chains, fewer than the {cores:,} x {self.per_core:,} = {wanted:,} "
                f"that {cores:,} core chains with {self.per_core:,} each ask for"
            )
        return wanted


@dataclass(frozen=True, slots=True)
class Selection:
    """Places in the pool, in the order they were chosen, each once; and what is to be said of how they were."""

    items: Sequence[int]
    facts: Mapping[str, float] = field(default_factory=dict)


class Selector(Protocol):
    def __call__(self, pool: Pool) -> Selection: ...
