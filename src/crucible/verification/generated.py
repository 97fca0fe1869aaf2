"""Problems, solutions and suites of the embedded world (`data=programs`)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import islice
from typing import Any

from crucible.data.programs import pool, suites, write
from crucible.data.programs import problem as statements
from crucible.data.programs.pool import Skill
from crucible.data.programs.programs import AS_IT_IS, Programs, gold_tests
from crucible.errors import UserError, nearest
from crucible.verification.options import SuiteSpec
from crucible.verification.records import Problem, Solution, Suite


def problems(world: Programs, count: int, seed: int) -> list[Problem]:
    """`count` different training problems of the world, of all difficulties.

    Errors: UserError where the world has not as many.
    """
    found: dict[str, Problem] = {}
    drawn = world.untested_prompts(random.Random(f"problems {seed}"))
    for prompt in islice(drawn, 200 * count + 2000):
        if prompt.id not in found:
            task = statements.parse(prompt.text)
            found[prompt.id] = Problem(
                prompt.id, prompt.text, task.difficulty, "f", list(gold_tests(task)),
                reference=write.write(task.given, write.parts_of(task)), program=AS_IT_IS, source=Programs.name,
            )  # fmt: skip
        if len(found) == count:
            return list(found.values())
    raise UserError(f"the world has only {len(found)} different training problems, {count} are asked for")


def solutions(problem: Problem, count: int, seed: int, skill: Skill) -> list[Solution]:
    task = task_of(problem, "solutions")
    return [
        Solution(problem.problem, f"{problem.problem}/{i}", solution.program, solution.kind, solution.form)
        for i, solution in enumerate(pool.solutions(task, count, seed, skill))
    ]


def suite(problem: Problem, spec: SuiteSpec, errors: int, candidate: str, failing: suites.Failing) -> Suite:
    """`failing` is asked by "progressive" alone."""
    found = suites.suite(
        task_of(problem, "suites"), strategy_of(spec), spec.tests, seed=spec.seed, errors=errors, candidate=candidate,
        failing=failing,
    )  # fmt: skip
    return Suite(problem.problem, spec.name, spec.strategy, [str(t) for t in found], wrong=[t.wrong for t in found])


def strategy_of(spec: SuiteSpec) -> suites.Strategy:
    """Errors: UserError for a strategy there is not."""
    for strategy in suites.STRATEGIES:
        if strategy == spec.strategy:
            return strategy
    known = ", ".join(suites.STRATEGIES)
    raise UserError(f"suite={spec.strategy}{nearest(spec.strategy, suites.STRATEGIES)}: one of {known}")


def wrong_tests(problems: Sequence[Problem], spec: SuiteSpec) -> list[int]:
    """How many tests of each problem's suite are wrong; of all problems together the share is exact to one test."""
    rates = suites.error_rates([problem.difficulty for problem in problems], spec.error_rate, spec.grows)
    return suites.wrong_tests([spec.tests] * len(problems), rates, spec.seed)


def task_of(problem: Problem, what: str) -> statements.Problem:
    """Errors: UserError for a problem of another source."""
    if problem.source != Programs.name:
        raise UserError(
            f"problem {problem.problem} was not made by the embedded generator, which cannot write {what} for it: use "
            f"{what}=endpoint, or a file"
        )
    return statements.parse(problem.prompt)


def failing_tests(problem: Problem, given: Sequence[Any]) -> list[str]:
    """The true tests of these inputs."""
    task = task_of(problem, "suites")
    return [str(suites.Test(value, task.answer(value))) for value in given]
