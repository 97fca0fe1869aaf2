"""A pool of solutions with the verdicts of one suite, as `data=verified` takes it."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from crucible.data.programs import programs
from crucible.data.programs.pool import Skill
from crucible.data.programs.programs import Programs
from crucible.errors import UserError, nearest
from crucible.verification import generated
from crucible.verification.execute import Executor
from crucible.verification.options import SuiteSpec, Verify
from crucible.verification.pipeline import Pipeline, missing, verdicts_of
from crucible.verification.records import Problem, Solution, Suite, Verdict, read, read_problems
from crucible.verification.select import Selected, select
from crucible.verification.sources import GeneratedSolutions, GeneratedSuites
from crucible.verification.store import InUse, Shard, Store

WAIT_SECONDS = 1.0  # between looks at whether another process has finished the same pool


@dataclass(frozen=True, slots=True)
class Pool:
    """`verdicts` and `suites` (by problem) are those of one suite; `generated`: it is the embedded generator's."""

    problems: list[Problem]
    solutions: list[Solution]
    verdicts: list[Verdict]
    suites: dict[str, Suite]
    generated: bool

    @property
    def texts(self) -> dict[tuple[str, str], str]:
        return {(s.problem, s.solution): s.completion for s in self.solutions}

    def selected(self, verify: Verify, seed: int) -> Selected:
        verdicts = self.verdicts if verify.judge is None else judged(self, verify.judge)
        return select(verdicts, self.texts, verify, seed)


def judged(pool: Pool, judge: Any) -> list[Verdict]:
    """The verdicts with the judge's scores."""
    by_problem: dict[str, list[Verdict]] = {}
    for verdict in pool.verdicts:
        by_problem.setdefault(verdict.problem, []).append(verdict)
    solutions = {(s.problem, s.solution): s for s in pool.solutions}
    scores: dict[tuple[str, str], float | None] = {}
    for problem in pool.problems:
        own = by_problem.get(problem.problem, [])
        found = judge.scores(problem, [solutions[v.problem, v.solution] for v in own], [v.gold for v in own])
        scores |= {(v.problem, v.solution): score for v, score in zip(own, found, strict=True)}
    return [replace(v, judge=scores[v.problem, v.solution]) for v in pool.verdicts]


def world_pool(
    world: Programs, verify: Verify, cache_dir: Path, report: Callable[[str], None], *, count: int, samples: int,
    skill: Skill, seed: int,
) -> Pool:  # fmt: skip
    """Made once and kept: its folder depends on the world, the writer and their code; suites are added to it.

    Errors: UserError for a suite that the embedded generator cannot write.
    """
    spec = SuiteSpec(verify.suite, verify.tests, verify.error_rate, verify.errors_grow, verify.suite_seed)
    generated.strategy_of(spec)
    source = GeneratedSolutions(samples, seed, skill)
    dials = {name: getattr(world, name) for name in ("operations", "operations_min", "list_share", "eval_share")}
    origin = {"source": "generated", "count": count, "seed": seed, **dials}
    made_from = {"problems": origin, "solutions": source.made_from, "code": code()}
    name = hashlib.blake2b(json.dumps(made_from, sort_keys=True).encode(), digest_size=8).hexdigest()
    store = Store(cache_dir / "verified" / name, Shard("1/1"))
    store.begin(made_from)
    problems = store.problems(lambda: generated.problems(world, count, seed))
    suites = GeneratedSuites([spec], problems)
    told = False
    while missing(store, problems, suites.names):
        executor = Executor()
        try:
            report(f"verifying {count * samples:,} programs on {spec.name}, kept in {store.path}")
            Pipeline(store, problems, executor, broken="keep", report=lambda line: None).run(source, suites)
        except InUse as error:
            if not told:
                report(f"waiting: {error}")
            told = True
            time.sleep(WAIT_SECONDS)
        finally:
            executor.close()
    work = {stage: store.logs_of_all(stage) for stage in ("solutions", "suites")}
    found = [Solution(**fields) for problem in problems for fields in work["solutions"][problem.problem]]
    by_problem = {p.problem: Suite(**work["suites"][f"{p.problem}\n{spec.name}"]) for p in problems}
    return Pool(problems, found, verdicts_of(store, problems, spec.name), by_problem, generated=True)


def read_pool(path: Path, verify: Verify) -> Pool:
    """From a pipeline's directory. `verify.suite` is a suite's name there, or a strategy with its options.

    Errors: UserError for a directory that is not finished, and for a suite that is not there.
    """
    if not (path / "verdicts.jsonl").is_file():
        raise UserError(
            f"{path} has no verdicts.jsonl: it is no pipeline's directory, or not all of its shards are done"
        )
    verdicts = read(path / "verdicts.jsonl", Verdict)
    there = list(dict.fromkeys(verdict.suite for verdict in verdicts))
    name = verify.suite if verify.suite in there else verify.suite_name
    if name not in there:
        raise UserError(f"verify.suite: {path} has no suite {name}{nearest(name, there)}; it has {', '.join(there)}")
    problems = read_problems(path / "problems.jsonl")
    suites = {s.problem: s for s in read(path / "suites.jsonl", Suite) if s.suite == name}
    ours = all(problem.source == Programs.name for problem in problems) and verify.suite not in there
    own = [verdict for verdict in verdicts if verdict.suite == name]
    return Pool(problems, read(path / "solutions.jsonl", Solution), own, suites, generated=ours)


def code(*, also: Sequence[Path] = ()) -> str:
    """A hash of the world's source files: what was made by other code is made again."""
    digest = hashlib.blake2b(digest_size=16)
    for file in [*sorted(Path(programs.__file__).parent.glob("*.py")), *also]:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()
