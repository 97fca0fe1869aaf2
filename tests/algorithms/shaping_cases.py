"""Shaped rewards against an oracle that sees one row at a time, as plain Python numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from advantage_cases import plain_rows
from rollout_cases import case, failing, rows

from crucible.algorithms.given import call
from crucible.types import Scores


def agree(
    part: Callable[..., Any],
    oracle: Callable[[list[SimpleNamespace]], Sequence[float]],
    *,
    kinds: Sequence[str] = ("binary", "graded"),
    seeds: int = 6,
) -> None:
    """The shaped totals are those of the oracle, which is given the rows that have a reward."""
    for kind in kinds:
        for seed in range(seeds):
            given = case(2000 + seed, graded=kind == "graded")
            draw = torch.Generator().manual_seed(seed)
            given["group"] = torch.tensor([9, 4, 30])[torch.randint(0, 3, (len(given["group"]),), generator=draw)]
            lost = torch.rand(len(given["group"]), generator=draw) < (0.3 if seed % 2 else 0.0)
            kept = (~lost).nonzero().flatten()
            expected = torch.tensor(oracle(plain_rows(rows(given, kept))), dtype=torch.float64)
            found = call(part, failing(given, lost) if lost.any() else given).total[kept]
            torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9, msg=lambda m: f"{kind} {seed}: {m}")  # noqa: B023


def totals(
    part: Callable[..., Any], reward: Sequence[float], group: Sequence[int] | None = None, **given: Any
) -> list[float]:
    """The shaped totals of hand-made rows of one token: one group unless said otherwise."""
    base = {
        "scores": Scores(torch.tensor(reward, dtype=torch.float64)),
        "group": torch.tensor(group or [0] * len(reward)),
        "mask": torch.ones(len(reward), 1, dtype=torch.float64),
    }
    return call(part, {**base, **given}).total.tolist()


def check(part: Callable[..., Any], reward: Sequence[float], expected: Sequence[float], **given: Any) -> None:
    close = given.pop("close", 1e-6)
    assert totals(part, reward, **given) == pytest.approx(list(expected), abs=close)
