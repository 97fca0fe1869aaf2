"""`python -m crucible.verification`: the pipeline from the command line, and the same for `data=verified`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from crucible.data.programs.pool import Skill
from crucible.data.programs.programs import Programs
from crucible.errors import UserError, nearest
from crucible.verification import generated
from crucible.verification.client import WORDS, Client
from crucible.verification.execute import Executor
from crucible.verification.judges import EmbeddedJudge, EndpointJudge
from crucible.verification.options import Control, Rule, SuiteSpec, Verify
from crucible.verification.pipeline import Broken, Pipeline, merge, missing
from crucible.verification.records import Problem, Verdict, read_problems
from crucible.verification.select import Selected, select
from crucible.verification.sources import (
    EndpointSolutions,
    EndpointSuites,
    FileSolutions,
    FileSuites,
    GeneratedSolutions,
    GeneratedSuites,
    PolicySolutions,
    Solutions,
    Suites,
)
from crucible.verification.store import Shard, Store, of_file
from crucible.verification.writer import Writer

SOURCES = ("generated", "endpoint")


def verification(
    *,
    out: Path,
    problems: str = "generated",
    count: int = 400,
    operations: int = 4,
    operations_min: int = 1,
    list_share: float = 0.5,
    solutions: str = "generated",
    policy: Path | None = None,
    samples: int = 8,
    right: float = Skill().right,
    falls: float = Skill().falls,
    near: float = Skill().near,
    max_tokens: int = 48,
    temperature: float = 1.0,
    seed: int = 0,
    suites: str = "generated",
    suite: tuple[str, ...] = (),
    errors_grow: bool = False,
    suite_seed: int = 0,
    broken: Literal["auto", "keep", "drop", "refuse"] = "auto",
    judge: Literal["none", "embedded", "endpoint"] = "none",
    false_accept: float = 0.1,
    false_reject: float = 0.1,
    endpoint: str = "",
    endpoint_model: str = "",
    key_variable: str | None = None,
    endpoint_temperature: float = 0.7,
    endpoint_max_tokens: int = 1024,
    endpoint_retries: int = 4,
    concurrency: int = 16,
    tau: float = 1.0,
    rule: Rule = "tests",
    cut: float = 0.5,
    weight: float = 0.5,
    control: Control = "verified",
    distinct: int | None = None,
    at_least: int = 1,
    keep_problems: int | None = None,
    size: int | None = None,
    language: str = "python",
    workers: int = 2,
    test_seconds: float = 2.0,
    suite_seconds: float = 20.0,
    memory_mb: float = 256.0,
    isolation: str = "auto",
    shard: str = "1/1",
) -> str:
    """What became of the solutions, as text. D(tau) is made of the first suite."""
    specs = [SuiteSpec.parse(text, grows=errors_grow, seed=suite_seed) for text in suite or ("minimal:4",)]
    client = Client(endpoint, endpoint_model, key_variable, endpoint_max_tokens, endpoint_retries, concurrency)
    verify = Verify(
        tau=tau, judge=None if judge == "none" else judge, rule=rule, cut=cut, weight=weight, control=control,
        distinct=distinct, at_least=at_least, problems=keep_problems, size=size, seed=seed,
    )  # fmt: skip
    store = Store(out, Shard(shard))
    world: dict[str, Any] = {"operations": operations, "operations_min": operations_min, "list_share": list_share}
    # whatever can be refused is refused before anything is written
    given = None if problems == "generated" else read_problems(Path(problems).expanduser())
    if (solutions not in SOURCES or suites not in SOURCES) and given is None:
        given = store.problems(lambda: _refuse_unknown(solutions, suites))
    for what, where in {"solutions": solutions if policy is None else "", "suites": suites}.items():
        if where == "generated" and given:
            generated.task_of(given[0], what)
    if suites == "generated":
        for spec in specs:
            generated.strategy_of(spec)
    executor = Executor(
        language=language, workers=workers, test_seconds=test_seconds, suite_seconds=suite_seconds,
        memory_mb=memory_mb, isolation=isolation,
    )  # fmt: skip
    try:
        source: Solutions
        if policy is not None:
            source = PolicySolutions(policy, samples, seed, max_tokens, temperature)
        elif solutions == "generated":
            source = GeneratedSolutions(samples, seed, Skill(right, falls, near))
        elif solutions == "endpoint":
            source = EndpointSolutions(Writer(client(endpoint_temperature), out / "replies"), samples)
        else:
            source = FileSolutions(Path(solutions).expanduser(), given or [], language)
        written: Suites | None = None
        if suites == "endpoint":
            written = EndpointSuites(Writer(client(endpoint_temperature), out / "replies"), specs)
        elif suites != "generated":
            written = FileSuites(Path(suites).expanduser(), given or [], suite)
        critic = {
            "none": lambda: None,
            "embedded": lambda: EmbeddedJudge(false_accept=false_accept, false_reject=false_reject, seed=seed),
            "endpoint": lambda: EndpointJudge(endpoint=client(0.0), cache_dir=out),
        }[judge]()
        asked_for = suites == "generated" and any(spec.error_rate for spec in specs)
        treatment: Broken = ("keep" if asked_for else "drop") if broken == "auto" else broken
        made = (
            {"count": count, "seed": seed, **world} if problems == "generated" else of_file(Path(problems).expanduser())
        )
        limits = {"test_seconds": test_seconds, "suite_seconds": suite_seconds, "memory_mb": memory_mb}
        store.begin(
            {
                "problems": {"source": problems, **made},
                "solutions": source.made_from,
                "execution": {"language": language, **limits},
                **_of_suites(suites, broken, treatment),
            }
        )
        given = store.problems(lambda: given or generated.problems(Programs(**world, eval_prompts=1), count, seed))
        written = written or GeneratedSuites(specs, given)
        Pipeline(store, given, executor, broken=treatment, report=_say).run(source, written, critic)
    finally:
        executor.close()
    by = critic.name if critic else None
    if missing(store, given, written.names, by):
        return f"shard {shard} of {out} is done; the files follow when all {store.shard.count} are"
    return _finish(store, given, merge(store, given, by), written.names, verify)


def _finish(
    store: Store, problems: Sequence[Problem], verdicts: Sequence[Verdict], names: Sequence[str], verify: Verify
) -> str:
    """Write D(tau) of the first suite that was asked for, and say what came of all of them."""
    texts = completions(store)
    prompts = {problem.problem: problem.prompt for problem in problems}
    chosen = select([v for v in verdicts if v.suite == names[0]], texts, verify)
    store.write("train", (
        {"problem": v.problem, "solution": v.solution, "prompt": prompts[v.problem],
         "completion": texts[v.problem, v.solution], "v": v.v, "form": v.form} for v in chosen.kept
    ))  # fmt: skip
    store.write("rejected", (
        {"problem": v.problem, "solution": v.solution, "reason": reason, "outcomes": v.outcomes, "v": v.v}
        for v, reason in chosen.rejected
    ))  # fmt: skip
    return "\n".join([*summary(verdicts), _drawn(names[0], chosen, verify, store)])


def completions(store: Store) -> dict[tuple[str, str], str]:
    work = store.logs_of_all("solutions")
    return {(problem, s["solution"]): s["completion"] for problem, rows in work.items() for s in rows}


def summary(verdicts: Sequence[Verdict]) -> list[str]:
    """A line for each suite: solutions, mean V, passed by all tests; and right by gold among these, where known."""
    lines = [f"{'suite':<22} solutions  mean V   V = 1   of these right   right in all"]
    for name in dict.fromkeys(v.suite for v in verdicts):
        own = [v for v in verdicts if v.suite == name]
        known = [v.v for v in own if v.v is not None]
        whole = [v for v in own if v.v == 1.0]
        truth, accepted = ([v.gold for v in group if v.gold is not None] for group in (own, whole))
        lines.append(
            f"{name:<22} {len(own):9}  {_share(known):>6}  {_share([v.v == 1.0 for v in own]):>6}   "
            f"{_share(accepted):>14}   {_share(truth):>12}"
        )
    return lines


def _share(values: Sequence[float | bool | None]) -> str:
    return f"{100 * sum(float(v or 0) for v in values) / len(values):.1f}%" if values else "-"


def _drawn(name: str, chosen: Selected, verify: Verify, store: Store) -> str:
    right = [v.gold for v in chosen.kept if v.gold is not None]
    pure = f", {_share(right)} of them right" if right else ""
    how = f"tau = {verify.tau:g}, {name}" if verify.control == "verified" else verify.control
    kept = f"{store.path / 'train.jsonl'}: {len(chosen.kept)} solutions ({how}){pure}"
    return f"{kept}; {len(chosen.rejected)} in rejected.jsonl"


def _of_suites(suites: str, broken: str, treatment: Broken) -> dict[str, Any]:
    """What suites of one name depend on. What is refused is not kept: the rest is as if broken tests were dropped."""
    if suites == "generated" and broken == "auto":
        return {}
    origin = {} if suites in SOURCES else of_file(Path(suites).expanduser())
    return {f"suites={suites}": {**origin, "broken": "drop" if treatment == "refuse" else treatment}}


def _refuse_unknown(solutions: str, suites: str) -> list[Problem]:
    name, value = ("solutions", solutions) if solutions not in SOURCES else ("suites", suites)
    raise UserError(
        f"{name}={value} is a file for problems that are not there yet: give problems=FILE too, or one of "
        f"{', '.join(SOURCES)}{nearest(value, SOURCES)}"
    )


def own_words(error: UserError) -> UserError:
    """The client's messages with this command's names for its options."""
    text = str(error)
    for theirs, ours in (
        *WORDS, ("verify.judge.", ""), ("verify.problems", "keep_problems"), ("verify.", ""),
        ("data/verify/judge=", "judge="),
    ):  # fmt: skip
        text = text.replace(theirs, ours)
    return UserError(text)


def _say(line: str) -> None:
    print(line, file=sys.stderr)
