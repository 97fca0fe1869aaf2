"""Candidate solutions of a task as a model might write them: right in many forms, nearly right, and wrong."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from crucible.data.programs import trusted
from crucible.data.programs.forms import form
from crucible.data.programs.mutants import Kind, mutant
from crucible.data.programs.problem import Problem
from crucible.data.programs.write import LONGEST, Written, demonstration

_BROKEN = (
    "def f(x):return",
    "def f(x):",
    "f(x)",
    "def f(a):a.add(1)",
    "def f(x):retrun x",
)  # not even Python, or nearly


@dataclass(frozen=True, slots=True)
class Skill:
    """How good the writer is. `right`: share of right programs at one operation, `falls` less with each further one;
    `near`: share of the others that are nearly right.
    """

    right: float = 0.7
    falls: float = 0.15
    near: float = 0.7

    def share_right(self, difficulty: int) -> float:
        return max(0.0, self.right - self.falls * (difficulty - 1))


@dataclass(frozen=True, slots=True)
class Solution:
    """`kind` is the truth, known because the program was made so."""

    program: Written
    kind: Kind

    @property
    def form(self) -> str:
        return form(self.program)


@lru_cache(maxsize=5_000)
def solutions(problem: Problem, count: int, seed: int, skill: Skill) -> tuple[Solution, ...]:
    """`count` candidates, with repetitions as they come. A task without nearly right programs gets wrong ones."""
    rng = random.Random(f"solutions {seed} {problem.statement}")
    found = []
    for _ in range(count):
        if rng.random() < skill.share_right(problem.difficulty):
            found.append(Solution(demonstration(problem, rng), "correct"))
        else:
            found.append(flawed(problem, rng, "near" if rng.random() < skill.near else "wrong"))
    return tuple(found)


def flawed(problem: Problem, rng: random.Random, kind: Kind) -> Solution:
    """A program of this kind of at most LONGEST characters; a wrong one where the catalogue has no near one."""
    kinds: list[Kind] = [kind, "wrong"]
    for wanted in kinds if rng.random() > 0.05 or kind == "near" else ():
        for _ in range(4):
            text = mutant(problem, rng, wanted)
            if text is not None and len(text) <= LONGEST:
                return Solution(text, wanted)
    return Solution(Written(rng.choice(_BROKEN)), "wrong")


def failing(problem: Problem, programs: Sequence[Written]) -> Any:
    """For `suites.suite`: which of these programs fail on each input."""

    def ask(given: Sequence[Any]) -> list[frozenset[int]]:
        right = [problem.answer(value) for value in given]
        found = [trusted.outputs(program, given) for program in programs]
        return [
            frozenset(i for i, own in enumerate(found) if not trusted.same(own[place], right[place]))
            for place in range(len(given))
        ]

    return ask
