"""Bounds in annotations: read from source, checked before anything is loaded, said in words."""

from __future__ import annotations

import ast
import math

import pytest

from crucible.config.annotations import kinds, scalar_problem
from crucible.config.bounds import outside, read, words
from crucible.config.source import module


@pytest.mark.parametrize(
    ("bounds", "inside", "beyond", "said"),
    [
        ("> 0", [1e-300, 3], [0, -1], "above 0"),
        (">= 1", [1, 10**400], [0, 0.999], "at least 1"),
        ("0 to 1", [0, 0.5, 1], [-1e-9, 1.5], "from 0 to 1"),
        ("> 0, <= 1", [0.1, 1], [0, 2], "above 0 and at most 1"),
        ("< -2.5", [-3], [-2.5, 0], "below -2.5"),
    ],
)
def test_what_fits_and_what_is_said(bounds: str, inside: list[float], beyond: list[float], said: str) -> None:
    assert words(bounds) == said
    assert [outside(value, bounds) for value in inside] == [None] * len(inside)
    assert {outside(value, bounds) for value in beyond} == {f"must be {said}"}
    for value in (math.inf, -math.inf, math.nan):
        assert outside(value, bounds) == f"must be a finite number {said}"


@pytest.mark.parametrize("bounds", ["", "positive", "= 0", "> 0 and < 1", "0 - 1", "> x"])
def test_an_annotation_is_code_and_must_be_right(bounds: str) -> None:
    with pytest.raises(ValueError, match=r"bounds|float"):
        read(bounds)


@pytest.mark.parametrize(
    ("annotation", "value", "problem"),
    [
        ("Annotated[int, '>= 1']", 0, "must be at least 1"),
        ("Annotated[int, '>= 1']", 1, None),
        ("Annotated[int, '>= 1']", 1.0, "must be a whole number: write 1"),
        ("Annotated[int | None, '>= 1']", None, None),
        ("Annotated[int | None, '>= 1']", 0, "must be at least 1"),
        ("Annotated[float, '> 0'] | Literal['auto']", "auto", None),
        ("Annotated[float, '> 0'] | Literal['auto']", -1, "must be above 0"),
        ("Annotated[float, '> 0'] | int", -1, None),
        ("Annotated[float, Marker()]", math.inf, None),
    ],
)
def test_only_the_number_of_an_annotation_is_bounded(annotation: str, value: object, problem: str | None) -> None:
    scope = module("crucible.run")
    assert scope is not None
    assert scalar_problem(value, kinds(ast.parse(annotation, mode="eval").body, scope)) == problem
