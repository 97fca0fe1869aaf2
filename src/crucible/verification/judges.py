"""Soft verification: a judge that reads the program instead of running it (b.4 of 2509.20837)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from crucible.rewards.judge.asking import Judge
from crucible.rewards.judge.endpoint import Endpoint
from crucible.rewards.judge.template import Template
from crucible.types import Prompt
from crucible.verification.known_errors import refuse_rates, says_right
from crucible.verification.prompts import JUDGE
from crucible.verification.records import Problem, Solution
from crucible.verification.writer import dying


class EmbeddedJudge:
    """A simulated judge that errs at known rates: score 1 for a right program but for the share `false_reject`, 0 for a
    wrong one but for the share `false_accept`. It errs on the same programs each time (a hash of problem and text).

    For worlds with gold tests: it reads the truth. Errors: UserError for rates out of range.
    """

    def __init__(
        self,
        *,
        false_accept: Annotated[float, ">= 0, <= 1"] = 0.1,
        false_reject: Annotated[float, ">= 0, <= 1"] = 0.1,
        seed: int = 0,
    ):
        refuse_rates("verify.judge", false_accept=false_accept, false_reject=false_reject)
        self.false_accept, self.false_reject, self.seed = false_accept, false_reject, seed
        self.name = f"embedded-{false_accept:g}-{false_reject:g}-s{seed}"

    def scores(
        self, problem: Problem, solutions: Sequence[Solution], truth: Sequence[bool | None]
    ) -> list[float | None]:
        return [
            None if right is None else float(self._says_right(right, problem.problem, solution.completion))
            for solution, right in zip(solutions, truth, strict=True)
        ]

    def _says_right(self, right: bool, problem: str, program: str) -> bool:
        rates = {"false_accept": self.false_accept, "false_reject": self.false_reject}
        return says_right(right, problem, program, **rates, seed=self.seed)


class EndpointJudge:
    """What the model behind `endpoint` says of each program, from 0 to 1; `template` null: `prompts.JUDGE`.

    Replies are kept under `cache_dir`/judge: nothing is paid for twice. No verdict: no score.
    Errors: UserError for an endpoint that dies, when all it has said is kept.
    """

    def __init__(self, *, endpoint: Endpoint, cache_dir: str | Path, template: Template | None = None):
        self.name = f"endpoint {endpoint.model}"
        self.judge = Judge(template or JUDGE, endpoint, Path(cache_dir) / "judge")

    def scores(
        self, problem: Problem, solutions: Sequence[Solution], truth: Sequence[bool | None]
    ) -> list[float | None]:
        prompt = Prompt(id=problem.problem, text=problem.prompt)
        asked = self.judge.ask([self.judge.template.fields(prompt, s.completion) for s in solutions])
        failed = [outcome for outcome in asked.outcomes if outcome.kind in ("timeout", "error")]
        if failed:
            raise dying("verdict", len(failed), failed[0].problem)
        return [outcome.value if outcome.kind == "value" else None for outcome in asked.outcomes]
