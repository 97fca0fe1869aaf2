"""What a benchmark asks: items with right and wrong responses, and the two ways to ask about them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

from crucible.types import Prompt

Verdict = Literal["right", "wrong", "tie"]
"""Which response of a pair won: the better one, the worse one, neither."""


@dataclass(frozen=True, slots=True)
class Item:
    """One prompt. `responses` begin with the `right` ones that should win; the others should lose.

    `part` is the domain, category or principle it counts for. `principle` is what its responses are judged by, where
    the item says so. Items with one `group` are scored together.
    """

    id: str
    part: str
    prompt: Prompt
    responses: tuple[str, ...]
    right: int = 1
    principle: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """`sizes`: prompts in each part of the whole benchmark, where they are known. `notes` go with every result."""

    name: str
    items: Sequence[Item]
    sizes: Mapping[str, int] = field(default_factory=dict)
    notes: Sequence[str] = ()

    def content(self) -> str:
        """16 hex digits over all items: what scores belong to."""
        digest = hashlib.blake2b(digest_size=8)
        for i in self.items:
            row = [i.id, i.part, i.prompt.text, i.responses, i.right, i.principle, i.group]
            digest.update(json.dumps(row).encode())
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class Question:
    """One response to be scored. `principle` is the item's own, "" where it has none."""

    prompt: Prompt
    response: str
    principle: str = ""


class Pointwise(Protocol):
    """Scores responses one by one."""

    def too_long(self, questions: Sequence[Question]) -> list[str]:
        """What is too long about each, e.g. "523 tokens of 512"; "" where it fits. Nothing is ever cut."""
        ...

    def scores(self, questions: Sequence[Question]) -> list[float | None]:
        """Higher is better; None: no score could be read."""
        ...


@runtime_checkable
class Pairwise(Protocol):
    """Compares two responses that stand in an order."""

    def too_long(self, questions: Sequence[Question]) -> list[str]: ...

    def games(self, pairs: Sequence[tuple[Question, Question]]) -> list[Literal["first", "second", "tie"] | None]:
        """Which of the two is better; None: no verdict could be read."""
        ...
