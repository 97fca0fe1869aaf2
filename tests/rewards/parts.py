"""Rewards with known values, to put together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from crucible.rewards.runtime.outcome import Outcome, scores_of
from crucible.types import Completion, Prompt, Scores
from tests.rewards.cases import completions, scored

NONE = float("nan")


class Fixed:
    """Gives the row whose text is "i" the i-th value; NaN is an abstention. Remembers which rows it was asked about."""

    def __init__(self, *values: float, needs: Sequence[str] = ()):
        self.values, self.needs, self.asked = values, tuple(needs), list[list[int]]()

    def __call__(self, prompts, rows, context):
        index = [int(row.text) for row in rows]
        self.asked.append(index)
        values = [self.values[i] for i in index]
        kinds = ["abstain" if value != value else "value" for value in values]
        return scores_of("inner", [Outcome(k, v) for k, v in zip(kinds, values, strict=True)])  # type: ignore[arg-type]


def rows(n: int, group: int = 1) -> tuple[list[Prompt], list[Completion]]:
    """n rows with the texts "0", "1", ...; `group` rows a prompt."""
    return [Prompt(id=f"p{i // group}") for i in range(n)], completions(*map(str, range(n)))


def of(reward: Any, n: int, group: int = 1, **context: Any) -> Scores:
    """What `reward` says of n rows, after the checks that hold for every reward."""
    scores = scored(reward, *rows(n, group), **context)
    known = torch.ones(n, dtype=torch.bool) if scores.valid is None else scores.valid
    assert (scores.total[~known] == 0).all(), "the total is 0 where there is no reward"
    return scores


def values(scores: Scores) -> list[float | None]:
    """The totals, None where there is no reward."""
    known = [True] * len(scores.total) if scores.valid is None else scores.valid.tolist()
    return [round(v, 6) if ok else None for v, ok in zip(scores.total.tolist(), known, strict=True)]
