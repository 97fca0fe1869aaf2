"""Parrot's selection against its definition, written as loops."""

from __future__ import annotations

import pytest
import torch

from crucible.errors import UserError
from crucible.rewards.pareto import Pareto
from tests.rewards.parts import NONE, Fixed, of, values


def kept_by_loops(points: list[tuple[float, ...]]) -> list[bool]:
    def beats(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
        return all(x >= y for x, y in zip(a, b, strict=True)) and any(x > y for x, y in zip(a, b, strict=True))

    return [not any(beats(other, point) for other in points) for point in points]


def test_the_worked_example():
    scores = of(Pareto(parts={"a": Fixed(1.0, 0.0, 0.5, 0.4), "b": Fixed(0.0, 1.0, 0.5, 0.4)}), 4)
    assert values(scores) == [1.0, 1.0, 1.0, None]
    assert scores.components["undominated"].tolist() == [1.0, 1.0, 1.0, 0.0]


@pytest.mark.parametrize("k", [2, 3])
def test_random_points_with_ties(k):
    points = torch.randint(0, 4, (60, k), generator=torch.Generator().manual_seed(k)).float()
    parts = {str(i): Fixed(*points[:, i].tolist()) for i in range(k)}
    kept = of(Pareto(parts=parts), 60).components["undominated"] == 1
    assert kept.tolist() == kept_by_loops([tuple(p) for p in points.tolist()])
    by_prompt = of(Pareto(parts=parts, among="group"), 60, group=6).components["undominated"] == 1
    groups = points.view(10, 6, k).tolist()
    assert by_prompt.tolist() == [keep for group in groups for keep in kept_by_loops([tuple(p) for p in group])]


def test_a_row_without_a_value_dominates_nothing():
    parts = {"a": Fixed(1.0, 2.0), "b": Fixed(1.0, NONE)}
    assert values(of(Pareto(parts=parts), 2)) == [2.0, None]


def test_in_evaluations_every_row_counts():
    parts = {"a": Fixed(1.0, 2.0), "b": Fixed(1.0, 2.0)}
    assert values(of(Pareto(parts=parts), 2)) == [None, 4.0]
    assert values(of(Pareto(parts=parts), 2, training=False)) == [2.0, 4.0]


@pytest.mark.parametrize(
    "options", [{"parts": {"a": Fixed()}}, {"parts": {"a": Fixed(), "b": Fixed()}, "among": "all"}]
)
def test_bad_options_are_refused(options):
    with pytest.raises(UserError, match=r"^reward pareto: "):
        Pareto(**options)
