"""The answers of a step of a scalar reward model as rows of tokens, in passes of bounded size, items kept whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from crucible.modules.given_rows import texts_of
from crucible.modules.rm_scalar import Answers, Scorer
from crucible.modules.rm_scorer import batches_by_length


@dataclass(frozen=True, slots=True)
class Unit:
    """The rows of one item: a pair has two, the better answer first; a scored answer one."""

    rows: list[list[int]]
    answer_tokens: int
    cut: int

    @property
    def tokens(self) -> int:
        return max(map(len, self.rows)) * len(self.rows)


def units(encoder: Answers, items: Sequence[Any]) -> list[Unit]:
    out = []
    for item in items:
        found = [encoder.row(item.prompt, text) for text in texts_of(item)]
        out.append(Unit([row for row, _, _ in found], sum(n for _, n, _ in found), sum(cut for _, _, cut in found)))
    return out


def passes(scorer: Scorer, rows: Sequence[Unit], tokens: int) -> Iterator[tuple[list[int], Tensor]]:
    """(numbers of the items, (K, R) scores of their R rows, with gradient) of each pass of at most `tokens` tokens."""
    for chosen in batches_by_length(rows, tokens):
        flat = scorer.read([row for i in chosen for row in rows[i].rows])
        yield chosen, flat.reshape(len(chosen), -1)


def told(rows: Sequence[Unit]) -> dict[str, float]:
    """What a step's metrics say of its answers."""
    count = sum(len(unit.rows) for unit in rows)
    return {
        "completion/length": sum(unit.answer_tokens for unit in rows) / count,
        "completion/truncated": sum(unit.cut for unit in rows) / count,
        "rows": float(count),
    }
