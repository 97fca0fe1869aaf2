"""A task: one thing given (a whole number x or a list a of them) and the operations to compose.

x: add 3, double          a: over 3, double, sum, add 4
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

from crucible.data.programs.operations import OPERATIONS, WORDS, Operation, Stage

NUMBER, LIST = "x", "a"
# The places a list task may fill, in this order; what follows a reduce works on its number.
_PLACES: tuple[Stage, ...] = ("order", "filter", "value", "value", "order", "reduce", "value", "value")
_REDUCE = _PLACES.index("reduce")

# What decides whether two tasks are the same task, and whether an operation matters.
_NUMBERS = (0, 1, -1, 2, -3, 4, 5, -6, 7, -8, 9, 10, -11, 13, 26, -37)
_LISTS: tuple[list[int], ...] = (
    [], [0], [5], [-4], [3, 3], [9, 2, 7], [-1, -6, -3], [1, 2, 3, 4, 5, 6], [8, -5, 0, 11, -2],
    [10, 9, 8, 7, 6, 5, 4], [2, 12, -9, 2, 7, 7, 1], [-10, 4, 15, -7, 6, 0, 3, 9],
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of a task; `constant` is 0 where it takes none."""

    word: str
    constant: int = 0

    @property
    def operation(self) -> Operation:
        return OPERATIONS[self.word]

    def __str__(self) -> str:
        return f"{self.word} {self.constant}" if self.operation.constants else self.word


@dataclass(frozen=True, slots=True)
class Problem:
    """`given` is "x" (a whole number) or "a" (a list of whole numbers)."""

    given: str
    steps: tuple[Step, ...]

    @property
    def statement(self) -> str:
        return f"{self.given}: {', '.join(map(str, self.steps))}"

    @property
    def difficulty(self) -> int:
        return len(self.steps)

    @property
    def constants(self) -> tuple[int, ...]:
        return tuple(step.constant for step in self.steps if step.operation.constants)

    def answer(self, given: Any) -> Any:
        """What a right program returns for this input."""
        for step in self.steps:
            given = applied(step, given)
        return given

    @property
    def key(self) -> str:
        """A hash of what it computes: tasks that no input of a fixed set tells apart have one key."""
        return f"{self.given} {behaviour(self.given, self.steps)}"


def applied(step: Step, value: Any) -> Any:
    meaning, stage, k = step.operation.meaning, step.operation.stage, step.constant
    if stage == "filter":
        return [v for v in value if meaning(v, k)]
    if stage == "value" and isinstance(value, list):
        return [meaning(v, k) for v in value]
    return meaning(value, k)


def behaviour(given: str, steps: Sequence[Step]) -> str:
    """The outputs on a fixed set of inputs."""
    problem = Problem(given, tuple(steps))
    return repr([problem.answer(value) for value in (_NUMBERS if given == NUMBER else _LISTS)])


def parse(statement: str) -> Problem:
    """The task of a statement as `Problem.statement` writes it. Errors: ValueError for any other text."""
    given, colon, rest = statement.partition(": ")
    steps = []
    for text in rest.split(", "):
        word, _, constant = text.partition(" ")
        takes = word in OPERATIONS and bool(OPERATIONS[word].constants)
        if word not in OPERATIONS or takes is not constant.isdecimal() or (constant and not takes):
            raise ValueError(f"{statement!r} is no task: there is no operation {text!r}")
        steps.append(Step(word, int(constant or 0)))
    problem = Problem(given, tuple(steps))
    if not colon or given not in (NUMBER, LIST) or problem.statement != statement or not _fits(problem):
        raise ValueError(f"{statement!r} is no task; it should look like a: over 3, double, sum")
    return problem


def _fits(problem: Problem) -> bool:
    """Do the operations take what those before them give?"""
    listed = problem.given == LIST
    for step in problem.steps:
        if step.operation.stage != "value" and not listed:
            return False
        listed = listed and step.operation.stage != "reduce"
    return True


def draw(rng: random.Random, size: int, list_share: float) -> Problem:
    """A task of `size` operations, each of which changes what is computed: no shorter one is hidden in it."""
    while True:
        given = LIST if rng.random() < list_share else NUMBER
        steps = tuple(_step(rng, stage) for stage in _stages(rng, given, size))
        if _all_matter(given, steps):
            return Problem(given, steps)


def _stages(rng: random.Random, given: str, size: int) -> Sequence[Stage]:
    if given == NUMBER:
        return ["value"] * size
    while True:
        places = sorted(rng.sample(range(len(_PLACES)), size))
        if _REDUCE in places or places[-1] < _REDUCE:
            return [_PLACES[place] for place in places]


def _step(rng: random.Random, stage: Stage) -> Step:
    operation = OPERATIONS[rng.choice(WORDS[stage])]
    return Step(operation.word, rng.choice(operation.constants) if operation.constants else 0)


def _all_matter(given: str, steps: tuple[Step, ...]) -> bool:
    """Does leaving out any of them change what is computed? Nor are two neighbours one: add 3, add 4."""
    words = [step.word for step in steps]
    if any(one == other or {one, other} == {"add", "sub"} for one, other in pairwise(words)):
        return False
    whole = behaviour(given, steps)
    shorter = (part for size in range(len(steps)) for part in combinations(steps, size))
    return all(not _fits(Problem(given, part)) or behaviour(given, part) != whole for part in shorter)
