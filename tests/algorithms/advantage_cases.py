"""Advantages against an oracle that sees one row at a time, as plain Python numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from rollout_cases import case, failing, rows
from torch import Tensor

from crucible.algorithms.given import call
from crucible.types import Scores


def plain_rows(given: dict[str, Any]) -> list[SimpleNamespace]:
    """Each row as numbers and lists of its counted tokens: row.reward, row.group, row.length, row.old_logps, ..."""
    found = []
    for i in range(len(given["group"])):
        length = int(given["mask"][i].sum())
        row = SimpleNamespace(reward=float(given["scores"].total[i]), length=length, text=given["texts"][i])
        row.components = {name: float(x[i]) for name, x in given["scores"].components.items()}
        per_token = given["scores"].per_token
        row.paid = [0.0] * (length - 1) + [row.reward] if per_token is None else per_token[i, :length].tolist()
        row.prompt = given["prompts"][i].id
        for name, value in given.items():
            if isinstance(value, Tensor) and name != "mask":
                per_row = value[i].tolist()
                row.__dict__[name] = per_row[:length] if value.shape == given["mask"].shape else per_row
        found.append(row)
    return found


def groups_of(rows_: Sequence[SimpleNamespace]) -> list[list[int]]:
    """The positions of the rows of each group, groups in the order of their numbers."""
    names = sorted({row.group for row in rows_})
    return [[i for i, row in enumerate(rows_) if row.group == name] for name in names]


def agree(
    part: Callable[..., Any],
    oracle: Callable[[list[SimpleNamespace]], Sequence[float | Sequence[float]]],
    *,
    kinds: Sequence[str] = ("binary", "graded"),
    seeds: int = 6,
    shuffled: bool = True,
    close: float = 1e-9,
) -> None:
    """The part's advantages are those of the oracle, which is given the rows that have a reward.

    The oracle returns a number for each row, or a list with one for each of its tokens.
    """
    for kind in kinds:
        for seed in range(seeds):
            given = case(1000 + seed, graded=kind == "graded", steps=kind == "steps")
            draw = torch.Generator().manual_seed(seed)
            if shuffled:
                given["group"] = torch.tensor([9, 4, 30])[torch.randint(0, 3, (len(given["group"]),), generator=draw)]
            lost = torch.rand(len(given["group"]), generator=draw) < (0.3 if seed % 2 else 0.0)
            kept = (~lost).nonzero().flatten()
            expected = torch.zeros_like(given["mask"])
            for i, answer in zip(kept.tolist(), oracle(plain_rows(rows(given, kept))), strict=True):
                length = int(given["mask"][i].sum())
                expected[i, :length] = torch.tensor(answer, dtype=torch.float64)
            if lost.any():
                given = failing(given, lost)
            found = call(part, given).values
            torch.testing.assert_close(found, expected, rtol=close, atol=close, msg=lambda m: f"{kind} {seed}: {m}")  # noqa: B023


def tokens(
    part: Callable[..., Any],
    reward: Sequence[float],
    group: Sequence[int] | None = None,
    lengths: Sequence[int] | None = None,
    **given: Any,
) -> Tensor:
    """(N, T) advantages of hand-made rows: one group and one token each unless said otherwise."""
    lengths = lengths or [1] * len(reward)
    width = max(*lengths, 1) if len(lengths) > 1 else max(lengths[0], 1)
    mask = (torch.arange(width) < torch.tensor(lengths).unsqueeze(-1)).double()
    scores = Scores(torch.tensor(reward, dtype=torch.float64))
    base = {"scores": scores, "group": torch.tensor(group or [0] * len(reward)), "mask": mask}
    return call(part, {**base, **given}).values


def check(
    part: Callable[..., Any],
    reward: Sequence[float],
    expected: Sequence[float],
    group: Sequence[int] | None = None,
    lengths: Sequence[int] | None = None,
    *,
    close: float = 1e-6,
    **given: Any,
) -> None:
    """The advantage of the first token of each hand-made row is as expected."""
    assert tokens(part, reward, group, lengths, **given)[:, 0].tolist() == pytest.approx(list(expected), abs=close)
