"""Problems -> solutions -> suites -> execution -> verdicts, a problem at a time; killed anywhere, it goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Literal

from crucible.errors import UserError
from crucible.pulse import beat
from crucible.sandbox import SuiteError
from crucible.verification.counted import counted
from crucible.verification.execute import Executor, Job
from crucible.verification.records import Problem, Solution, Suite, Verdict, row
from crucible.verification.sources import Numbered, Solutions, Suites, program
from crucible.verification.store import STAGES, Log, Store

Broken = Literal["keep", "drop", "refuse"]
GOLD = ""  # the key of the gold tests among the suites
Report = Callable[[str], None]


class Pipeline:
    """One shard's work. `broken`: what is done with tests that fail the problem's own reference."""

    def __init__(
        self, store: Store, problems: Sequence[Problem], executor: Executor, *, broken: Broken, report: Report
    ):
        self.store, self.problems, self.executor, self.broken, self.report = store, problems, executor, broken, report
        self.mine: list[Numbered] = [(i, p) for i, p in enumerate(problems) if store.shard.has(i)]
        self._odd: dict[str, list[str]] = {}

    def run(self, solutions: Solutions, suites: Suites, judge: Any = None) -> None:
        """Errors: UserError, one line; what was done until then is kept."""
        with ExitStack() as stack:
            lock = self.store.lock()
            stack.callback(lock.release)
            logs = {stage: self.store.log(stage) for stage in STAGES}
            for log in logs.values():
                stack.callback(log.close)
            stack.callback(self._tell)
            self._solutions(solutions, logs["solutions"])
            self._suites(suites, logs)
            self._verdicts(suites.names, logs)
            if judge is not None:
                self._judge(judge, logs)

    # stages

    def _solutions(self, source: Solutions, log: Log) -> None:
        left = [(i, p) for i, p in self.mine if p.problem not in log]
        for start in range(0, len(left), source.at_once):
            beat("collecting solutions")
            for problem, found in source.of(left[start : start + source.at_once]):
                log.add(problem.problem, [row(solution) for solution in found])
        if empty := [p.problem for _, p in self.mine if not log.done[p.problem]]:
            self.report(f"{len(empty)} of {len(self.mine)} problems have no solution, the first: {empty[0]}")

    def _suites(self, source: Suites, logs: Mapping[str, Log]) -> None:
        log = logs["suites"]
        left = [(name, i, p) for i, p in self.mine for name in source.names if _key(p, name) not in log]

        def asked(item: tuple[str, int, Problem]) -> Suite:
            name, number, problem = item
            found = _solutions(logs["solutions"], problem)
            return source.of(name, number, problem, found, lambda tests: self._fails(problem, found, tests))

        with ThreadPoolExecutor(source.at_once, thread_name_prefix="suites") as threads:
            for start in range(0, len(left), source.at_once):
                beat("collecting suites")
                some = left[start : start + source.at_once]
                answers = [(item, threads.submit(asked, item)) for item in some]
                failed = None
                for (name, _, problem), answer in answers:  # what came of the others is kept
                    if error := answer.exception():
                        failed = failed or error
                    else:
                        log.add(_key(problem, name), row(self._usable(problem, answer.result())))
                if failed is not None:
                    raise failed

    def _verdicts(self, names: Sequence[str], logs: Mapping[str, Log]) -> None:
        log = logs["verdicts"]
        for _, problem in self.mine:
            beat("running programs")
            suites = {name: Suite(**logs["suites"].done[_key(problem, name)]) for name in names}
            tests = {name: (suite.tests, suite.support) for name, suite in suites.items()}
            if problem.gold is not None:
                tests[GOLD] = self._counted(problem, "gold", problem.gold, problem.support)
            tests = {name: given for name, given in tests.items() if _key(problem, name) not in log}
            if not tests:
                continue
            found = _solutions(logs["solutions"], problem)
            jobs = [
                Job(program(problem, s.completion, self.executor.language), problem.entry_point, tests) for s in found
            ]
            results = self.executor.run(jobs)
            if problem_text := next((r.problem for r in results if r.problem), ""):
                self._note("{} problems have tests that do not run and are left out", problem, problem_text)
            for name in tests:
                outcomes = [result.outcomes[name] for result in results]
                log.add(_key(problem, name), {"outcomes": outcomes, "seconds": [round(r.seconds, 4) for r in results]})

    def _judge(self, judge: Any, logs: Mapping[str, Log]) -> None:
        for _, problem in self.mine:
            if (key := _key(problem, judge.name)) not in logs["judge"]:
                beat("asking the judge")
                outcomes = logs["verdicts"].done.get(_key(problem, GOLD), {}).get("outcomes")
                found = _solutions(logs["solutions"], problem)
                truth = [None] * len(found) if outcomes is None else [passed_all(o) for o in outcomes]
                logs["judge"].add(key, judge.scores(problem, found, truth))

    # tests that cannot be used

    def _usable(self, problem: Problem, suite: Suite) -> Suite:
        """The suite as it is counted, with what the problem's reference makes of it."""
        name = suite.suite
        support = "\n".join(filter(None, [problem.support, suite.support]))
        tests, support = self._counted(problem, name, suite.tests, support)
        suite = replace(suite, tests=tests, support=support, wrong=suite.wrong if tests == suite.tests else None)
        if not tests:
            self._note(f"suite {name}: {{}} of the problems have no tests; their solutions stay unverified", problem)
            return suite
        if problem.reference is None:
            return suite
        outcomes = self._reference(problem, suite)
        if outcomes is None:
            return replace(suite, tests=[], reference_outcomes=None, wrong=None)
        suite = replace(suite, reference_outcomes=outcomes)
        failed = [i for i, outcome in enumerate(outcomes) if outcome != "passed"]
        if not failed:
            return suite
        shown = f"problem {problem.problem}, test {failed[0] + 1}" + (
            f": {tests[failed[0]]}" if isinstance(tests, list) else ""
        )
        if self.broken == "refuse":
            raise UserError(
                f"suite {name} fails the problem's own reference ({shown[:160]}); broken=drop leaves such tests out"
            )
        if self.broken == "keep":
            self._note(f"suite {name}: tests of {{}} problems fail their own reference and are kept", problem, shown)
            return suite
        self._note(f"suite {name}: tests of {{}} problems fail their own reference and are left out", problem, shown)
        if not isinstance(tests, list):
            return replace(suite, tests=[], reference_outcomes=None, wrong=None)
        kept = [i for i in range(len(tests)) if i not in set(failed)]
        wrong = None if suite.wrong is None else [suite.wrong[i] for i in kept]
        return replace(suite, tests=[tests[i] for i in kept], reference_outcomes=["passed"] * len(kept), wrong=wrong)

    def _counted(self, problem: Problem, name: str, tests: Any, support: str) -> tuple[Any, str]:
        try:
            return counted(tests, support)
        except SuiteError as error:
            self._note(f"suite {name}: {{}} suites do not run and are left out", problem, str(error))
            return [], ""

    def _reference(self, problem: Problem, suite: Suite) -> list[str] | None:
        """Outcomes of the reference; None for a suite that does not run at all."""
        assert problem.reference is not None
        job = Job(problem.reference, problem.entry_point, {suite.suite: (suite.tests, suite.support)})
        (result,) = self.executor.run([job])
        if result.problem:
            self._note(f"suite {suite.suite}: {{}} suites do not run and are left out", problem, result.problem)
            return None
        return result.outcomes[suite.suite]

    def _fails(self, problem: Problem, solutions: Sequence[Solution], tests: Sequence[str]) -> list[frozenset[int]]:
        own, support = counted(list(tests), problem.support)
        jobs = [
            Job(program(problem, s.completion, self.executor.language), problem.entry_point, {"": (own, support)})
            for s in solutions
        ]
        outcomes = [result.outcomes[""] for result in self.executor.run(jobs)]
        place = {test: i for i, test in enumerate(own)}
        at = [place[counted([test])[0][0]] for test in tests]
        return [frozenset(i for i, o in enumerate(outcomes) if o[p] != "passed") for p in at]

    def _note(self, line: str, problem: Problem, example: str = "") -> None:
        self._odd.setdefault(line, []).append(example or f"problem {problem.problem}")

    def _tell(self) -> None:
        for line, examples in self._odd.items():
            self.report(f"{line.format(f'{len(examples)} of {len(self.mine)}')} (first: {examples[0][:160]})")


def missing(store: Store, problems: Sequence[Problem], names: Sequence[str], judge: str | None = None) -> bool:
    """Is work left to do, in any shard, for these suites (and the judge)?"""
    ran, asked = store.logs_of_all("verdicts"), store.logs_of_all("judge")
    wanted = [_key(problem, name) for problem in problems for name in names]
    wanted += [_key(problem, GOLD) for problem in problems if problem.gold is not None]
    return any(key not in ran for key in wanted) or (
        judge is not None and any(_key(problem, judge) not in asked for problem in problems)
    )


def verdicts_of(store: Store, problems: Sequence[Problem], name: str, judge: str | None = None) -> list[Verdict]:
    """The verdicts of one suite, whose work is done in all shards."""
    work = {stage: store.logs_of_all(stage) for stage in STAGES}
    return [verdict for problem in problems for verdict in _rows(problem, name, work, judge)]


def merge(store: Store, problems: Sequence[Problem], judge: str | None = None) -> list[Verdict]:
    """The work of all shards as the pipeline's files: every suite that is through. Its verdicts, suite by suite."""
    work = {stage: store.logs_of_all(stage) for stage in STAGES}
    known = dict.fromkeys(key.rpartition("\n")[2] for key in work["suites"])
    whole = [n for n in known if all(_key(p, n) in work["verdicts"] for p in problems)]
    verdicts = [v for name in whole for problem in problems for v in _rows(problem, name, work, judge)]
    solutions = [solution for problem in problems for solution in work["solutions"][problem.problem]]
    store.write("solutions", solutions)
    store.write("suites", [work["suites"][_key(problem, name)] for name in whole for problem in problems])
    store.write("verdicts", map(row, verdicts))
    return verdicts


def _rows(problem: Problem, name: str, work: Mapping[str, Mapping[str, Any]], judge: str | None) -> list[Verdict]:
    found = [Solution(**fields) for fields in work["solutions"][problem.problem]]
    ran = work["verdicts"][_key(problem, name)]
    gold = work["verdicts"].get(_key(problem, GOLD), {}).get("outcomes", [None] * len(found))
    scores = work["judge"][_key(problem, judge)] if judge is not None else [None] * len(found)
    return [
        Verdict(
            problem.problem, s.solution, problem.difficulty, name, outcomes, share_passed(outcomes),
            passed_all(of_gold), of_gold, s.form, s.kind, score, seconds,
        )
        for s, outcomes, of_gold, score, seconds in zip(
            found, ran["outcomes"], gold, scores, ran["seconds"], strict=True
        )
    ]  # fmt: skip


def share_passed(outcomes: Sequence[str]) -> float | None:
    """V(s; T); None without tests."""
    return sum(outcome == "passed" for outcome in outcomes) / len(outcomes) if outcomes else None


def passed_all(outcomes: Sequence[str] | None) -> bool | None:
    """Truth by gold outcomes; None without gold tests."""
    return all(outcome == "passed" for outcome in outcomes) if outcomes else None


def _solutions(log: Log, problem: Problem) -> list[Solution]:
    return [Solution(**fields) for fields in log.done[problem.problem]]


def _key(problem: Problem, name: str) -> str:
    return f"{problem.problem}\n{name}"
