"""Inputs for tests: typical ones, random ones, the edges that typical ones miss, and all that a task is judged on."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from crucible.data.programs.problem import NUMBER

_SINGLES = range(-11, 13)


@lru_cache(maxsize=2)
def every(given: str) -> tuple[Any, ...]:
    """The inputs on which two programs count as equal or different: constants of tasks are 0 to 9."""
    if given == NUMBER:
        return (*range(-40, 41), -99, 64, 99, 100, 121, -1000, 1000)
    rng = random.Random("every list")
    longer = [[rng.randint(-12, 12) for _ in range(rng.randint(2, 7))] for _ in range(48)]
    doubled = [[v, 3, v] for v in (-5, -2, 0, 1, 4, 8, 9)]
    chosen = [
        [], [1, 2, 3], [3, 2, 1], [2, 4, 6, 8], [9, 7, 5], [-1, -2, -3], [-7, -5, -9, -3], [0, 0], [4, 4, 4],
        [1, 2, 3, 4, 5, 6, 7, 8, 9], [9, 8, 7, 6, 5, 4, 3, 2, 1, 0], [10, -10], [-6, 6, -4, 4], [5, 5, 2, 2, 7],
    ]  # fmt: skip
    return tuple([*chosen, *([v] for v in _SINGLES), *doubled, *longer])


def typical(given: str, rng: random.Random) -> Iterator[Any]:
    """What comes to mind first: small positive numbers; three to five different ones in a list. Without end."""
    numbers = _shuffled(range(2, 13), rng)
    while True:
        if given == NUMBER:
            yield next(numbers)
        else:
            yield rng.sample(range(1, 13), rng.randint(3, 5))


def anything(given: str, rng: random.Random) -> Iterator[Any]:
    """Random numbers of both signs; lists of none to six of them. Without end."""
    numbers = _shuffled(range(-20, 21), rng)
    while True:
        if given == NUMBER:
            yield next(numbers)
        else:
            yield [rng.randint(-12, 12) for _ in range(rng.randint(0, 6))]


def edges(given: str, constants: Sequence[int], rng: random.Random) -> Iterator[Any]:
    """Boundaries of the constants, zero, negatives; the empty list, one element, equal ones. Then anything."""
    near = sorted({k + d for k in constants for d in (-1, 0, 1)})
    if given == NUMBER:
        found: list[Any] = [0, -1, -3, -8, 1, 25, -14, *near, *(-k for k in constants)]
    else:
        chosen = rng.sample(near, min(4, len(near))) or [0, 1]
        found = [
            [], [0], [-3], [5, 5, 2, 2], [-4, -9, -2], [7, 6, 5, 4, 3, 2, 1], [8], [4, -4, 0],
            chosen, [-v for v in chosen], [1, 2], [-7, 11, -1, 11],
        ]  # fmt: skip
    rng.shuffle(found)
    yield from found
    yield from anything(given, rng)


def distinct(source: Iterator[Any], count: int, without: Sequence[Any] = ()) -> list[Any]:
    """The first `count` different inputs that are not in `without`."""
    seen = {repr(v) for v in without}
    found: list[Any] = []
    while len(found) < count:
        value = next(source)
        if repr(value) not in seen:
            seen.add(repr(value))
            found.append(value)
    return found


def _shuffled(span: range, rng: random.Random) -> Iterator[int]:
    """Every number of the span in random order, then of the next spans of its length, away from zero."""
    while True:
        numbers = list(span)
        rng.shuffle(numbers)
        yield from numbers
        low, high = span.start, span.stop
        span = range(high, 2 * high - low)
