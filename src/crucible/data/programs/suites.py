"""Synthetic test suites of controllable strength, number and error rate (b.2, b.3 of Verification Limits, 2509.20837).

minimal       typical inputs, from the statement alone
random        random inputs of both signs and all lengths
structured    given a candidate solution and the minimal tests: boundaries of the constants in it, and the cases the
              minimal tests miss (nothing, zero, negatives, equal elements)
progressive   rounds of m tests, from minimal to structured; a round replaces the last one only if more of a pool of
              solutions fail it, or as many in more of its tests
gold          the hidden tests: a perfect verifier

The paper names the first two; what its third strategy is was not found, ours follows a third-party description. All
is deterministic in `seed`; the tests of a suite are different; a suite with few tests is not the beginning of a longer
one. Expected values are the truth but for `errors` tests: those expect what a changed program returns where one
differs, the mistake a test writer would make too.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, Literal, get_args

from crucible.data.programs import inputs, mutants, trusted
from crucible.data.programs.gold import gold_inputs
from crucible.data.programs.problem import Problem

Strategy = Literal["gold", "minimal", "random", "structured", "progressive"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)
Failing = Callable[[Sequence[Any]], Sequence[frozenset[int]]]
"""For each input, which solutions of the pool give a wrong output."""


@dataclass(frozen=True, slots=True)
class Test:
    """f(given) == expected; `wrong` where that is not so."""

    given: Any
    expected: Any
    wrong: bool = False

    def __str__(self) -> str:
        return f"assert f({self.given!r}) == {self.expected!r}"


def suite(
    problem: Problem, strategy: Strategy, tests: int, *, seed: int = 0, errors: int = 0, candidate: str = "",
    failing: Failing | None = None,
) -> list[Test]:  # fmt: skip
    """`tests` tests (of "gold": all there are), `errors` of them wrong.

    `candidate`: a solution for "structured", right or wrong; `failing`: the pool of "progressive".
    """
    rng = random.Random(f"{strategy} {seed} {problem.statement}")
    if strategy == "gold":
        given = list(gold_inputs(problem))
    elif strategy == "minimal":
        given = inputs.distinct(inputs.typical(problem.given, rng), tests)
    elif strategy == "random":
        given = inputs.distinct(inputs.anything(problem.given, rng), tests)
    elif strategy == "structured":
        minimal = [test.given for test in suite(problem, "minimal", tests, seed=seed)]
        constants = sorted({*problem.constants, *(int(k) for k in re.findall(r"\d+", candidate)[:6] if len(k) < 4)})
        given = inputs.distinct(inputs.edges(problem.given, constants, rng), tests, without=minimal)
    else:
        if failing is None:
            raise ValueError("progressive tests need a pool of solutions")
        given = _progressive(problem, tests, rng, failing)
    return _with_errors(problem, [Test(value, problem.answer(value)) for value in given], errors, rng)


def _progressive(problem: Problem, tests: int, rng: random.Random, failing: Failing) -> list[Any]:
    sources = (inputs.typical, inputs.anything, _edges_of(problem), _edges_of(problem))
    rounds = [inputs.distinct(source(problem.given, rng), tests) for source in sources]
    proposed = inputs.distinct(
        iter([value for one in rounds for value in one]), len({repr(v) for r in rounds for v in r})
    )
    failed = dict(zip(map(repr, proposed), failing(proposed), strict=True))
    kept = rounds[0]
    for further in rounds[1:]:
        new = [value for value in further if repr(value) not in set(map(repr, kept))]
        harder = _hardest([*new, *kept], tests, failed)
        if _hardness(harder, failed) > _hardness(kept, failed):
            kept = harder
    return kept


def _edges_of(problem: Problem) -> Callable[[str, random.Random], Any]:
    return lambda given, rng: inputs.edges(given, problem.constants, rng)


def _rejected(given: Sequence[Any], failed: dict[str, frozenset[int]]) -> frozenset[int]:
    """The solutions that fail one test at least."""
    return frozenset().union(*(failed[repr(value)] for value in given))


def _hardness(given: Sequence[Any], failed: dict[str, frozenset[int]]) -> tuple[int, int]:
    """How many solutions fail; of equals, in how many tests."""
    return len(_rejected(given, failed)), sum(len(failed[repr(value)]) for value in given)


def _hardest(given: Sequence[Any], count: int, failed: dict[str, frozenset[int]]) -> list[Any]:
    """`count` inputs that together are failed by the most: each next one by the most that are left."""
    chosen: list[Any] = []
    left = list(given)
    while len(chosen) < count:
        known = _rejected(chosen, failed)
        best = max(left, key=lambda value: (len(failed[repr(value)] - known), len(failed[repr(value)])))
        left = [value for value in left if value is not best]
        chosen.append(best)
    return chosen


def _with_errors(problem: Problem, tests: Sequence[Test], errors: int, rng: random.Random) -> list[Test]:
    wrong = set(rng.sample(range(len(tests)), min(errors, len(tests))))
    texts = mutants.catalogue(problem) if wrong else []
    rng.shuffle(texts)
    return [_mistaken(test, texts, rng) if i in wrong else test for i, test in enumerate(tests)]


def _mistaken(test: Test, texts: Sequence[Any], rng: random.Random) -> Test:
    """The test with another expected value: what one of `texts` returns, or else one that is off by one."""
    for text in texts:
        (value,) = trusted.outputs(text, [test.given])
        if not (value == trusted.FAILED or trusted.same(value, test.expected) or isinstance(value, float)):
            return replace(test, expected=value, wrong=True)
    off = rng.choice((-1, 1))
    if isinstance(test.expected, list):
        return replace(test, expected=[*test.expected, off], wrong=True)
    return replace(test, expected=test.expected + off, wrong=True)


def wrong_tests(counts: Sequence[int], rates: Sequence[float], seed: int = 0) -> list[int]:
    """How many tests of each suite are wrong: suites of `counts` tests of which a share `rates` should be.

    Rounded as one: over the first k suites the number is within 1 of what is asked for, whatever the size of a suite.
    """
    start = 0.5 if len(counts) > 1 else random.Random(f"errors {seed}").random()
    upto = [
        math.floor(total + start)
        for total in accumulate((c * r for c, r in zip(counts, rates, strict=True)), initial=0.0)
    ]
    return [min(after - before, count) for before, after, count in zip(upto, upto[1:], counts, strict=False)]


def error_rates(difficulties: Sequence[int], rate: float, grows: bool) -> list[float]:
    """The share of wrong tests of each task: `rate`, or in proportion to its difficulty with a mean of `rate`."""
    if not grows:
        return [rate] * len(difficulties)
    mean = sum(difficulties) / len(difficulties)
    return [min(1.0, rate * d / mean) for d in difficulties]
