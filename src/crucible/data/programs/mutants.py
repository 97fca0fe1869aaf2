"""Programs that are wrong as people and models get them wrong, from small slips to another task altogether.

near     gives the right output for at least half of the random inputs, and not for all: a boundary, a negative
         number, an empty list, a repeated element
wrong    right for less than half of them
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from typing import Any, Literal, get_args

from crucible.data.programs import inputs, trusted
from crucible.data.programs.operations import OPERATIONS, WORDS
from crucible.data.programs.problem import Problem
from crucible.data.programs.write import SHARES, STYLES, Part, Written, parts_of, write

Kind = Literal["correct", "near", "wrong"]
KINDS: tuple[Kind, ...] = get_args(Kind)
NEAR = 0.5  # share of random inputs with a right output
_LOOKED_AT = 40  # random inputs


def changed(problem: Problem, parts: Sequence[Part]) -> Iterator[list[Part]]:
    """Every way of the catalogue to get the parts of a right program wrong (some change nothing after all)."""
    for i, part in enumerate(parts):
        operation = OPERATIONS[part.word]

        def having(*new: Part, i: int = i) -> list[Part]:
            return [*parts[:i], *new, *parts[i + 1 :]]

        yield from (having(replace(part, spelling=mistake)) for mistake in operation.mistakes)
        if operation.constants:  # off by one, either way
            yield from (having(replace(part, constant=k)) for k in (part.constant - 1, part.constant + 1) if k >= 0)
        yield having(replace(part, loose=True))  # the order of operations
        if len(parts) > 1 and part.stage != "reduce":
            yield having()
        if i + 1 < len(parts) and parts[i + 1].stage == part.stage:
            yield [*parts[:i], parts[i + 1], part, *parts[i + 2 :]]


def catalogue(problem: Problem) -> list[Written]:
    """The different texts of the changed programs, each as one expression."""
    found = {write(problem.given, parts): None for parts in changed(problem, parts_of(problem))}
    found.pop(write(problem.given, parts_of(problem)), None)
    return list(found)


@lru_cache(maxsize=20_000)
def truth(problem: Problem) -> tuple[Any, ...]:
    """The right outputs on every input."""
    return tuple(problem.answer(given) for given in inputs.every(problem.given))


def misses(problem: Problem, program: Written) -> list[int]:
    """The places among all inputs at which a program is wrong; none for a right one."""
    found = trusted.outputs(program, inputs.every(problem.given))
    return [i for i, (own, right) in enumerate(zip(found, truth(problem), strict=True)) if not trusted.same(own, right)]


def kind_of(problem: Problem, program: Written) -> Kind:
    """Right on all inputs, on at least half of the random ones, or on fewer."""
    if not misses(problem, program):
        return "correct"
    rng = random.Random("what near means")
    looked_at = list(islice(inputs.anything(problem.given, rng), _LOOKED_AT))
    found = trusted.outputs(program, looked_at)
    right = sum(trusted.same(own, problem.answer(given)) for own, given in zip(found, looked_at, strict=True))
    return "near" if right >= NEAR * len(looked_at) else "wrong"


def mutant(problem: Problem, rng: random.Random, kind: Kind) -> Written | None:
    """A near or wrong program in a form chosen by `rng`; None where the catalogue of this task has none."""
    parts = parts_of(problem, rng)
    ways = list(changed(problem, parts))
    if kind == "wrong":
        ways += [list(_other_word(problem, parts, rng)) for _ in range(3)]
    rng.shuffle(ways)
    for way in ways:
        text = write(problem.given, way, rng.choices(STYLES, SHARES)[0], rng)
        if kind_of(problem, text) == kind:
            return text
    return None


def _other_word(problem: Problem, parts: Sequence[Part], rng: random.Random) -> Iterator[Part]:
    """The parts with one operation misread for another that fits its place."""
    place = rng.randrange(len(parts))
    for i, part in enumerate(parts):
        if i != place:
            yield part
            continue
        operation = OPERATIONS[rng.choice(WORDS[part.stage])]
        constant = part.constant or (rng.choice(operation.constants) if operation.constants else 0)
        yield Part(operation.word, operation.spellings[0], constant)
