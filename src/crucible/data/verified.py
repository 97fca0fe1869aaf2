"""`data=verified`: programs that a verifier accepted, to learn from: D(tau), Verification Limits (arXiv 2509.20837)."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, cast

from crucible.data import dials
from crucible.data.epochs import epochs
from crucible.data.programs.judging import Judge
from crucible.data.programs.pool import Skill
from crucible.data.programs.programs import Programs
from crucible.data.programs.suites import Strategy
from crucible.data.split import content_id
from crucible.errors import UserError, expanded
from crucible.types import Demonstration, Prompt
from crucible.verification.options import Verify
from crucible.verification.pool import code, read_pool, world_pool
from crucible.verification.records import Problem, read_problems


class Verified:
    """The solutions that `verify` keeps of a pool, as demonstrations; evaluation on hidden gold tests, in the sandbox.

    The pool is a pipeline's directory `path` (docs/verification.md), or is made from the embedded world and kept under
    `cache_dir`: `problems` training tasks of `data=programs` with the dials operations, operations_min and list_share;
    `solutions` candidates of each, by a writer that is right in a share `right` at one operation and `falls` less with
    each further one, and nearly right in a share `near` of the rest; `pool_seed` decides all of it, null: the run's
    seed. Every program is run in the sandbox, on the suite and on the gold tests.

    Evaluation prompts: the world's held-out tasks, or the problems of the file `eval_path`, which a pool of other
    problems needs. `chat`: a problem is a user's message. As prompts to sample from (RL), the pool's problems have
    reference "tests": the suite that `verify` names.

    Errors: UserError for bad dials, and what the pipeline refuses.
    """

    name = "verified"
    reference_keys = ("entry_point", "gold", "program", "tests")

    def __init__(
        self,
        *,
        seed: int,
        cache_dir: str | Path,
        report: Callable[[str], None],
        verify: Verify,
        path: str | None = None,
        eval_path: str | None = None,
        chat: bool = False,
        problems: Annotated[int, ">= 1"] = 400,
        solutions: Annotated[int, ">= 1"] = 8,
        right: Annotated[float, ">= 0, <= 1"] = 0.7,
        falls: Annotated[float, ">= 0, <= 1"] = 0.15,
        near: Annotated[float, ">= 0, <= 1"] = 0.7,
        pool_seed: int | None = None,
        operations: int = 4,
        operations_min: int = 1,
        list_share: float = 0.5,
        eval_prompts: int = 128,
        eval_share: float = 0.2,
    ) -> None:
        self.verify, self._chat, self._judge = verify, chat, Judge()
        skill = Skill(*(dials.share(self.name, n, v) for n, v in (("right", right), ("falls", falls), ("near", near))))
        count, samples = (
            dials.whole(self.name, "problems", problems, 1),
            dials.whole(self.name, "solutions", solutions, 1),
        )
        self._world_dials: dict[str, Any] = {
            "operations": operations, "operations_min": operations_min, "list_share": list_share,
            "eval_prompts": eval_prompts, "eval_share": eval_share,
        }  # fmt: skip
        self._world = Programs(**self._world_dials) if eval_path is None else None
        if path is not None:
            self._pool = read_pool(expanded(path), verify)
        elif self._world is not None:
            self._pool = world_pool(
                self._world,
                verify,
                Path(cache_dir),
                report,
                count=count,
                samples=samples,
                skill=skill,
                seed=seed if pool_seed is None else pool_seed,
            )
        else:
            raise UserError("data=verified: eval_path is for a pool of problems of your own: give data.path too")
        self._eval = self._held_out(eval_path)
        self._selected = self._pool.selected(verify, seed)
        right_ones = [verdict.gold for verdict in self._selected.kept if verdict.gold is not None]
        pure = f", {sum(right_ones) / len(right_ones):.1%} of them right" if right_ones else ""
        report(f"D(tau): {len(self._selected.kept):,} of {len(self._pool.verdicts):,} solutions{pure}")
        if not self._selected.kept:
            raise UserError(
                "data=verified: nothing is left to learn from; lower data.verify.tau, or data.verify.at_least"
            )
        suites = self._pool.suites
        self._prompts = {
            problem.problem: self._asked(problem, suite.tests, suite.support)
            for problem in self._pool.problems
            if (suite := suites.get(problem.problem))
        }

    # what is learned from

    def demonstrations(self) -> Sequence[Demonstration]:
        texts = self._pool.texts
        return [Demonstration(self._prompts[v.problem], texts[v.problem, v.solution]) for v in self._selected.kept]

    def train_pool(self) -> Sequence[Prompt]:
        """The pool's problems that have tests."""
        return [prompt for prompt in self._prompts.values() if prompt.reference["tests"]]

    def train_prompts(self, rng: random.Random) -> Iterator[Prompt]:
        return epochs(self.train_pool(), rng)

    # evaluation

    def eval_prompts(self) -> Sequence[Prompt]:
        return self._eval

    def judge(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> list[bool | None]:
        return self._judge(prompts, texts)

    def correct(self, prompt: Prompt, completion: str) -> bool:
        return self._judge([prompt], [completion])[0] is True

    def _held_out(self, eval_path: str | None) -> tuple[Prompt, ...]:
        foreign = next((p for p in self._pool.problems if p.source != Programs.name), None)
        if eval_path is None:
            if foreign is not None:
                raise UserError(
                    f"data=verified: the pool has problems of its own ({foreign.problem}); name problems to evaluate "
                    "on with data.eval_path"
                )
            return tuple(self._suited().eval_prompts())
        problems = read_problems(expanded(eval_path))
        pool = {problem.prompt for problem in self._pool.problems}
        for problem in problems:
            if not problem.gold:
                raise UserError(
                    f"data=verified: {eval_path}: problem {problem.problem} has no gold tests to evaluate by"
                )
            if problem.prompt in pool:
                raise UserError(
                    f"data=verified: {eval_path}: problem {problem.problem} is in the pool too, it would leak"
                )
        return tuple(self._asked(problem, problem.gold, problem.support) for problem in problems)

    def _suited(self) -> Programs:
        """The world whose prompts have the verifier's tests, where the generator can write them; else gold tests."""
        v = self.verify
        suite = cast(Strategy, v.suite) if self._pool.generated else "gold"
        return Programs(
            **self._world_dials, suite=suite, tests=v.tests, error_rate=v.error_rate, suite_seed=v.suite_seed
        )

    def _asked(self, problem: Problem, tests: Any, support: str) -> Prompt:
        reference = {
            "entry_point": problem.entry_point, "program": problem.program, "support": support, "tests": tests,
            "gold": problem.gold,
        }  # fmt: skip
        return Prompt(
            id=content_id(Programs.name, problem.prompt),
            text="" if self._chat else problem.prompt,
            messages=({"role": "user", "content": problem.prompt},) if self._chat else (),
            reference=reference,
            source=self.name,
            difficulty=float(problem.difficulty),
        )

    # a warm-up from scratch

    def warmup_prompts(self, rng: random.Random) -> Iterator[Prompt]:
        return self._generator().warmup_prompts(rng)

    def probe_prompts(self, rng: random.Random) -> Iterator[Prompt]:
        """Of the world and not of the pool, which another seed draws anew: the start is one for all runs."""
        return self._generator().train_prompts(rng)

    def demonstrate(self, prompt: Prompt, rng: random.Random) -> str:
        return self._generator().demonstrate(prompt, rng)

    def _generator(self) -> Programs:
        if self._world is None:
            raise UserError("data=verified: only the embedded world can write demonstrations; use a trained model")
        return self._world

    def signature(self) -> dict[str, Any]:
        """What a warm-up depends on: the world and its code and not the verifier, so that all arms start from one."""
        return {"code": code(), **({} if self._world is None else self._world_dials)}
