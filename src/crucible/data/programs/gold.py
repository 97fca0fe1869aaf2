"""The hidden tests that decide what is true: every program of the catalogue that computes something else fails them."""

from __future__ import annotations

import random
from functools import lru_cache
from typing import Any

from crucible.data.programs import inputs, mutants
from crucible.data.programs.problem import Problem

LEAST = 12  # tests of a task


@lru_cache(maxsize=20_000)
def gold_inputs(problem: Problem) -> tuple[Any, ...]:
    """Inputs on which every changed program that differs on any of `inputs.every` differs, and some more."""
    every = inputs.every(problem.given)
    missed = [set(mutants.misses(problem, text)) for text in mutants.catalogue(problem)]
    missed = [places for places in missed if places]
    order = list(range(len(every)))
    random.Random(f"gold {problem.statement}").shuffle(order)
    chosen = [place for place in order if not every[place]][:1]  # nothing at all: 0, or the empty list
    missed = [places for places in missed if not places & set(chosen)]
    while missed:
        best = max(order, key=lambda place: sum(place in places for places in missed))
        chosen.append(best)
        missed = [places for places in missed if best not in places]
    chosen += [place for place in order if place not in chosen][: max(0, LEAST - len(chosen))]
    return tuple(every[place] for place in chosen)
