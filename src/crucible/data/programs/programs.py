"""`data=programs`: small Python functions to write from a controlled language, judged by hidden tests.

    prompt      a: over 3, double, sum
    completion  def f(a):return sum(x*2 for x in a if x>3)

The world of the miniature replication of Verification Limits (arXiv 2509.20837): programs, tests and the truth about
both are known exactly.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from crucible.data import dials
from crucible.data.generated import Generated
from crucible.data.programs import pool, problem, suites
from crucible.data.programs.gold import gold_inputs
from crucible.data.programs.judging import Judge
from crucible.data.programs.mutants import KINDS
from crucible.data.programs.pool import Skill
from crucible.data.programs.problem import Problem
from crucible.data.programs.suites import STRATEGIES, Strategy, Test
from crucible.data.programs.write import Written, demonstration, fits
from crucible.data.split import content_id
from crucible.errors import UserError, nearest
from crucible.types import Prompt

AS_IT_IS = {"mode": "completion", "prefix": "", "stops": []}  # the whole answer is the program
POOL = 12  # embedded solutions that "structured" and "progressive" tests are written against


class Programs(Generated):
    """Tasks of `operations_min`..`operations` composed operations, in equal shares: the number is the difficulty.

    A share `list_share` is about a list of whole numbers, the rest about one number. Every operation changes what is
    computed. Right programs come in many forms; `demonstrate` writes one by chance, `corrupt` one that is nearly right
    or wrong (`mutants`).

    Split: tasks that compute the same (on a fixed set of inputs) are on one side, however they are worded. The id is a
    hash of the statement. What is true is decided by the hidden tests, reference "gold" (`gold`), in the sandbox.

    Reference "tests", which `reward=unit_tests` reads, is the suite of the strategy `suite` (see `suites`) with `tests`
    tests, a share `error_rate` of them wrong: of a single task rounded up or down by chance, in proportion.

    Errors: UserError for bad dials.
    """

    name = "programs"
    reference_keys = ("entry_point", "gold", "program", "tests")
    alphabet = "0123456789abcdefghijklmnopqrstuvwxyz()[]:;,=+-*/%<>{}! \n"

    def __init__(
        self,
        *,
        operations: int = 4,
        operations_min: int = 1,
        list_share: float = 0.5,
        suite: Strategy = "gold",
        tests: int = 8,
        error_rate: float = 0.0,
        suite_seed: int = 0,
        eval_prompts: int = 128,
        eval_share: float = 0.2,
    ) -> None:
        self.operations = dials.whole(self.name, "operations", operations, 1, 6)
        self.operations_min = dials.whole(self.name, "operations_min", operations_min, 1, self.operations)
        self.list_share = dials.share(self.name, "list_share", list_share)
        if suite not in STRATEGIES:
            choices = ", ".join(STRATEGIES)
            raise UserError(f"data={self.name}: suite is {suite!r}{nearest(str(suite), STRATEGIES)}; one of {choices}")
        self._suite = (suite, dials.whole(self.name, "tests", tests, 1, 64), suite_seed)
        self._error_rate = dials.share(self.name, "error_rate", error_rate)
        self._judge = Judge()
        self.hold_out(
            size=self.operations, smallest=self.operations_min, eval_prompts=eval_prompts, eval_share=eval_share
        )
        self._eval = tuple(map(self.tested, self._eval))

    # prompts

    def draw(self, rng: random.Random, size: int) -> tuple[str, Prompt]:
        while not fits(drawn := problem.draw(rng, size, self.list_share)):
            pass
        return drawn.key, bare_prompt(drawn)

    def _draw(self, rng: random.Random) -> tuple[str, Prompt]:
        return self.draw(rng, rng.randint(*self._sizes))

    def _draw_any_size(self, rng: random.Random) -> tuple[str, Prompt]:
        """For a warm-up: fewer of the hard tasks, n / 2^n of those with n operations, since short ones teach faster."""
        sizes = range(self.operations_min, self.operations + 1)
        return self.draw(rng, rng.choices(sizes, [n / 2**n for n in sizes])[0])

    def untested_prompts(self, rng: random.Random) -> Iterator[Prompt]:
        """Training prompts for ever, without tests."""
        return super().train_prompts(rng)

    def train_prompts(self, rng: random.Random) -> Iterator[Prompt]:
        return map(self.tested, self.untested_prompts(rng))

    def tested(self, prompt: Prompt) -> Prompt:
        """The prompt with its tests, which a warm-up does not need."""
        task = problem_of(prompt)
        strategy, count, seed = self._suite
        (errors,) = suites.wrong_tests([count], [self._error_rate], seed=hash_of(f"{seed} {prompt.id}"))
        return with_tests(prompt, gold_tests(task), embedded_suite(task, strategy, count, seed, errors))

    # answers

    def demonstrate(self, prompt: Prompt, rng: random.Random) -> str:
        return demonstration(problem_of(prompt), rng)

    def corruptions(self, prompt: Prompt) -> list[str]:
        return [kind for kind in KINDS if kind != "correct"]

    def corrupt(self, prompt: Prompt, rng: random.Random, kind: str | None = None) -> str:
        """An answer that is nearly right or wrong (wrong too where a task has no nearly right one)."""
        if kind not in (None, "near", "wrong"):
            raise UserError(f"data={self.name}: there is no flaw {kind!r}{nearest(kind or '', KINDS)}; near or wrong")
        return pool.flawed(
            problem_of(prompt), rng, "near" if (kind or rng.choice(KINDS[1:])) == "near" else "wrong"
        ).program

    # judgement

    def judge(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> list[bool | None]:
        return self._judge(prompts, texts)

    def correct(self, prompt: Prompt, completion: str) -> bool:
        return self._judge([prompt], [completion])[0] is True


def bare_prompt(task: Problem) -> Prompt:
    return Prompt(
        id=content_id(Programs.name, task.statement),
        text=task.statement,
        reference={"entry_point": "f", "program": AS_IT_IS},
        source=Programs.name,
        difficulty=float(task.difficulty),
    )


def with_tests(prompt: Prompt, gold: Sequence[str], tests: Sequence[Test]) -> Prompt:
    return replace(prompt, reference={**prompt.reference, "gold": list(gold), "tests": [str(test) for test in tests]})


def problem_of(prompt: Prompt) -> Problem:
    return problem.parse(prompt.text)


@lru_cache(maxsize=20_000)
def gold_tests(task: Problem) -> tuple[str, ...]:
    return tuple(str(Test(given, task.answer(given))) for given in gold_inputs(task))


def embedded_suite(task: Problem, strategy: Strategy, count: int, seed: int, errors: int) -> list[Test]:
    """A suite for which the candidate and the pool, where the strategy wants them, are the embedded generator's."""
    programs: list[Written] = []
    if strategy in ("structured", "progressive"):
        programs = [solution.program for solution in pool.solutions(task, POOL, seed, Skill())]
    return suites.suite(
        task, strategy, count, seed=seed, errors=errors, candidate=programs[0] if programs else "",
        failing=pool.failing(task, programs),
    )  # fmt: skip


def hash_of(text: str) -> int:
    return int(content_id("seed", text), 16)
