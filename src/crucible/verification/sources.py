"""Where solutions and suites come from: the embedded generator, a policy, an endpoint or a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from crucible.data.programs.forms import form
from crucible.data.programs.pool import Skill
from crucible.errors import UserError, nearest
from crucible.sandbox import program_of
from crucible.verification import generated, prompts
from crucible.verification.options import SuiteSpec
from crucible.verification.records import Problem, Solution, Suite, _read, read_solutions, refuse_repeated
from crucible.verification.store import of_file
from crucible.verification.writer import Writer, dying

Numbered = tuple[int, Problem]  # a problem and its number among all problems
Fails = Callable[[Sequence[str]], list[frozenset[int]]]
"""For each test, which of the problem's solutions do not pass it."""


def program(problem: Problem, completion: str, language: str = "python") -> str:
    return program_of(completion, language, problem.program)


class Solutions(Protocol):
    """`made_from`: what the solutions depend on, as plain values."""

    made_from: dict[str, Any]
    at_once: int

    def of(self, some: Sequence[Numbered]) -> Iterator[tuple[Problem, list[Solution]]]:
        """The solutions of each problem. An endpoint that dies gives what it can before it raises."""
        ...


class GeneratedSolutions:
    at_once = 1

    def __init__(self, count: int, seed: int, skill: Skill):
        self.count, self.seed, self.skill = count, seed, skill
        self.made_from = {"source": "generated", "count": count, "seed": seed,
                          "right": skill.right, "falls": skill.falls, "near": skill.near}  # fmt: skip

    def of(self, some: Sequence[Numbered]) -> Iterator[tuple[Problem, list[Solution]]]:
        for _, problem in some:
            yield problem, generated.solutions(problem, self.count, self.seed, self.skill)


class FileSolutions:
    at_once = 1

    def __init__(self, path: Path, problems: Sequence[Problem], language: str = "python"):
        self.found, self.language = read_solutions(path, problems), language
        self.made_from = {**of_file(path)}

    def of(self, some: Sequence[Numbered]) -> Iterator[tuple[Problem, list[Solution]]]:
        for _, problem in some:
            yield (
                problem,
                [
                    Solution(
                        s.problem, s.solution, s.completion, s.kind, form(program(problem, s.completion, self.language))
                    )
                    for s in self.found.get(problem.problem, [])
                ],
            )


class PolicySolutions:
    """Sampled from a model in Hugging Face format, or from policy/ of a run directory. The n-th solution of a problem
    depends on the seed, the problem's number and n: not on shards or on where a run was stopped.
    """

    at_once = 32

    def __init__(self, path: Path, count: int, seed: int, max_tokens: int, temperature: float):
        folder = path / "policy" if (path / "policy").is_dir() else path
        if not (folder / "config.json").is_file():
            raise UserError(
                f"policy={path}: no model there (a folder with config.json, or a run directory with policy/)"
            )
        self.folder, self.count, self.seed = folder, count, seed
        self.max_tokens, self.temperature = max_tokens, temperature
        self.made_from = {"source": f"policy {folder}", "count": count, "seed": seed, "max_tokens": max_tokens,
                          "temperature": temperature}  # fmt: skip
        self._engine: Any = None

    def of(self, some: Sequence[Numbered]) -> Iterator[tuple[Problem, list[Solution]]]:
        from crucible.policy.policy import load
        from crucible.rollout.embedded import EmbeddedEngine
        from crucible.types import Prompt, Sampling

        if self._engine is None:
            self._engine = EmbeddedEngine(load(self.folder))
        for number, problem in some:
            sampling = Sampling(
                max_tokens=self.max_tokens, temperature=self.temperature, seed=self.seed, first_row=number * self.count
            )
            asked = Prompt(id=problem.problem, text=problem.prompt)
            if getattr(self._engine.policy.tokenizer, "chat_template", None):
                asked = Prompt(id=problem.problem, messages=({"role": "user", "content": problem.prompt},))
            texts = self._engine.generate([asked], self.count, sampling).texts
            yield problem, _numbered(problem, texts)


class EndpointSolutions:
    def __init__(self, writer: Writer, count: int):
        self.writer, self.count, self.at_once = writer, count, max(1, writer.endpoint.concurrency)
        self.made_from = {"source": f"endpoint {writer.endpoint.model}", "count": count, **writer.endpoint.options}

    def of(self, some: Sequence[Numbered]) -> Iterator[tuple[Problem, list[Solution]]]:
        asked = [(prompts.solution(problem), n) for _, problem in some for n in range(self.count)]
        replies = iter(self.writer.ask(asked))
        missing = 0
        for _, problem in some:
            texts = [next(replies) for _ in range(self.count)]
            missing += sum(text is None for text in texts)
            if None not in texts:
                yield problem, _numbered(problem, [text for text in texts if text is not None])
        if missing:
            raise dying("solution", missing, self.writer.problem)


def _numbered(problem: Problem, texts: Sequence[str]) -> list[Solution]:
    return [
        Solution(problem.problem, f"{problem.problem}/{i}", text, form=form(program(problem, text)))
        for i, text in enumerate(texts)
    ]


class Suites(Protocol):
    """`names` of the suites each problem gets, one each; `at_once`: problems that are asked about at the same time."""

    names: list[str]
    at_once: int

    def of(self, name: str, number: int, problem: Problem, solutions: Sequence[Solution], fails: Fails) -> Suite: ...


class GeneratedSuites:
    at_once = 1

    def __init__(self, specs: Sequence[SuiteSpec], problems: Sequence[Problem]):
        self.specs = {spec.name: spec for spec in specs}
        self.names = list(self.specs)
        self.wrong = {name: generated.wrong_tests(problems, spec) for name, spec in self.specs.items()}

    def of(self, name: str, number: int, problem: Problem, solutions: Sequence[Solution], fails: Fails) -> Suite:
        candidate = program(problem, solutions[0].completion) if solutions else ""
        return generated.suite(
            problem, self.specs[name], self.wrong[name][number], candidate,
            lambda given: fails(generated.failing_tests(problem, given)),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _GivenSuite:
    """A suite in a user's file."""

    problem: str
    suite: str
    tests: Any
    strategy: str = ""
    support: str = ""
    wrong: list[bool] | None = None


class FileSuites:
    """The suites of a file, or those of `names`. A problem without a row has no tests."""

    def __init__(self, path: Path, problems: Sequence[Problem], names: Sequence[str]):
        rows = list(_read(path, _GivenSuite))
        known = {problem.problem for problem in problems}
        for where, suite in rows:
            if suite.problem not in known:
                raise UserError(f"{where}: there is no problem {suite.problem!r}{nearest(suite.problem, known)}")
        refuse_repeated([(where, f"{s.suite} of {s.problem}") for where, s in rows], "suite")
        there = list(dict.fromkeys(suite.suite for _, suite in rows))
        for name in names:
            if name not in there:
                raise UserError(
                    f"suite={name}: {path} has no such suite{nearest(name, there)}; it has {', '.join(there)}"
                )
        self.names, self.at_once = list(names) or there, 1
        if not self.names:
            raise UserError(f"{path} has no suite")
        self.rows = {(suite.suite, suite.problem): suite for _, suite in rows}

    def of(self, name: str, number: int, problem: Problem, solutions: Sequence[Solution], fails: Fails) -> Suite:
        found = self.rows.get((name, problem.problem))
        if found is None:
            return Suite(problem.problem, name, "", [])
        return Suite(problem.problem, name, found.strategy, found.tests, found.support, wrong=found.wrong)


class EndpointSuites:
    """Tests that the endpoint writes, with the prompts of `prompts`. "progressive": up to `ROUNDS` rounds after the
    minimal one, each kept only if more of the problem's solutions fail it than the last, in the sandbox.
    """

    ROUNDS = 3

    def __init__(self, writer: Writer, specs: Sequence[SuiteSpec]):
        for spec in specs:
            if spec.strategy not in self._STRATEGIES:
                raise UserError(f"suite={spec.strategy}: an endpoint is asked for {', '.join(self._STRATEGIES)}")
            if spec.error_rate:
                raise UserError(
                    f"suite={spec.name}: an error rate is for generated suites; an endpoint makes its own errors"
                )
        self.writer, self.at_once = writer, max(1, writer.endpoint.concurrency)
        self.specs = {spec.name: spec for spec in specs}
        self.names = list(self.specs)

    def of(self, name: str, number: int, problem: Problem, solutions: Sequence[Solution], fails: Fails) -> Suite:
        spec = self.specs[name]
        tests = self._STRATEGIES[spec.strategy](self, problem, spec, solutions, fails)
        return Suite(problem.problem, name, spec.strategy, tests)

    def _ask(self, text: str, spec: SuiteSpec) -> list[str]:
        (reply,) = self.writer.ask([(text, spec.seed)])
        if reply is None:
            raise dying("tests", 1, self.writer.problem)
        return prompts.tests_in(reply, spec.tests)

    def _minimal(self, problem: Problem, spec: SuiteSpec, *_: Any) -> list[str]:
        return self._ask(prompts.minimal(problem, spec.tests), spec)

    def _structured(self, problem: Problem, spec: SuiteSpec, solutions: Sequence[Solution], _: Fails) -> list[str]:
        candidate = program(problem, solutions[0].completion) if solutions else "(none)"
        return self._ask(prompts.structured(problem, spec.tests, candidate, self._minimal(problem, spec)), spec)

    def _progressive(self, problem: Problem, spec: SuiteSpec, solutions: Sequence[Solution], fails: Fails) -> list[str]:
        kept = self._minimal(problem, spec)
        failed = frozenset[int]().union(*fails(kept))
        for _ in range(self.ROUNDS):
            text = prompts.progressive(problem, spec.tests, kept, len(failed), len(solutions))
            harder = self._ask(text, spec)
            by = frozenset[int]().union(*fails(harder))
            if harder and len(by) > len(failed):
                kept, failed = harder, by
            else:
                break  # the same question would get the same answer
        return kept

    _STRATEGIES: Mapping[str, Callable[..., list[str]]] = {
        "minimal": _minimal, "structured": _structured, "progressive": _progressive,
    }  # fmt: skip
