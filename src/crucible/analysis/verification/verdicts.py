"""Verdicts as a pipeline writes them: one line for each solution and suite, with the outcome of each test.

{"problem": id, "solution": id, "difficulty": 3, "suite": "minimal", "outcomes": ["passed", "failed", ...], "v": 0.5,
 "gold": true | false | null, "form": normal form, "kind": ..., "judge": 0.7 | null, "seconds": 0.01}
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from crucible.errors import UserError

PASSED = "passed"
ROUNDING = 1e-4  # by which a stored v may differ from passed / all


@dataclass(frozen=True, slots=True)
class Verdict:
    """`gold`: is it right, by hidden tests; None: not known. `wrong`: which tests of the suite are known as wrong."""

    problem: str
    solution: str
    difficulty: int
    suite: str
    outcomes: tuple[str, ...]
    gold: bool | None
    form: str
    kind: str | None = None
    judge: float | None = None
    seconds: float = 0.0
    wrong: tuple[bool, ...] = ()

    @property
    def v(self) -> float | None:
        """V(s; T), the share of tests passed (2509.20837); None without tests: nothing is verified then."""
        return _share(self.outcomes)

    @property
    def sound_v(self) -> float | None:
        """The same over the tests that are not known to be wrong."""
        wrong = self.wrong or (False,) * len(self.outcomes)
        return _share([o for o, bad in zip(self.outcomes, wrong, strict=True) if not bad])


def _share(outcomes: Sequence[str]) -> float | None:
    return sum(o == PASSED for o in outcomes) / len(outcomes) if outcomes else None


def read_verdicts(paths: Iterable[Path]) -> list[Verdict]:
    """The rows of all files. Errors: UserError with file and line for a row that is none, or contradicts another."""
    found: dict[tuple[str, str, str], str] = {}
    difficulty: dict[str, int] = {}
    verdicts = []
    for path in paths:
        for where, row in rows_of(path):
            verdict = _verdict(where, row)
            key = verdict.problem, verdict.solution, verdict.suite
            if key in found:
                what = f"solution {verdict.solution} of problem {verdict.problem} with suite {verdict.suite}"
                raise UserError(f"{where}: {what} is judged twice, first at {found[key]}")
            found[key] = where
            if difficulty.setdefault(verdict.problem, verdict.difficulty) != verdict.difficulty:
                raise UserError(
                    f"{where}: problem {verdict.problem} has difficulty {verdict.difficulty} here and "
                    f"{difficulty[verdict.problem]} before"
                )
            verdicts.append(verdict)
    if not verdicts:
        raise UserError(f"{', '.join(map(str, paths))}: no verdicts")
    return verdicts


def with_wrong_tests(verdicts: Iterable[Verdict], suites: Iterable[Mapping[str, Any]]) -> list[Verdict]:
    """The verdicts, told which tests are wrong: "wrong" of the suite, else those that its own reference fails.

    Errors: UserError where a suite has another number of tests than the outcomes.
    """
    known: dict[tuple[str, str], tuple[bool, ...]] = {}
    for suite in suites:
        flags = suite.get("wrong")
        if flags is None and suite.get("reference_outcomes"):
            flags = [outcome != PASSED for outcome in suite["reference_outcomes"]]
        if flags is not None:
            known[str(suite["problem"]), str(suite["suite"])] = tuple(bool(flag) for flag in flags)
    told = []
    for verdict in verdicts:
        wrong = known.get((verdict.problem, verdict.suite), ())
        if wrong and len(wrong) != len(verdict.outcomes):
            raise UserError(
                f"suite {verdict.suite} of problem {verdict.problem} has {len(wrong)} tests, but solution "
                f"{verdict.solution} has {len(verdict.outcomes)} outcomes: are they of another run?"
            )
        told.append(replace(verdict, wrong=wrong))
    return told


def rows_of(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, object) of each line of a JSON Lines file. Errors: UserError for a file or line that cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from None
    except UnicodeDecodeError:
        raise UserError(f"cannot read {path}: it is not UTF-8") from None
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise UserError(f"{path}:{number}: not JSON ({error})") from None
        if not isinstance(row, dict):
            raise UserError(f"{path}:{number}: a JSON {type(row).__name__}, not an object")
        yield f"{path}:{number}", row


def _verdict(where: str, row: Mapping[str, Any]) -> Verdict:
    for key in ("problem", "solution", "difficulty", "suite", "outcomes"):
        if row.get(key) is None:
            raise UserError(f"{where}: no {key!r}; is it a file of verdicts?")
    outcomes = row["outcomes"]
    if not isinstance(outcomes, list) or not all(isinstance(outcome, str) for outcome in outcomes):
        raise UserError(f"{where}: outcomes must be a list of words, one a test")
    gold, judge = row.get("gold"), row.get("judge")
    if gold is not None and not isinstance(gold, bool):
        raise UserError(f"{where}: gold must be true, false or null, not {gold!r}")
    if judge is not None and (isinstance(judge, bool) or not isinstance(judge, int | float)):
        raise UserError(f"{where}: judge must be a number or null, not {judge!r}")
    verdict = Verdict(
        problem=str(row["problem"]), solution=str(row["solution"]), difficulty=int(row["difficulty"]),
        suite=str(row["suite"]), outcomes=tuple(outcomes), gold=gold, form=str(row.get("form") or row["solution"]),
        kind=row.get("kind"), judge=judge, seconds=float(row.get("seconds") or 0.0),
    )  # fmt: skip
    if row.get("v") is not None and abs(float(row["v"]) - (verdict.v or 0.0)) > ROUNDING:
        raise UserError(f"{where}: v is {row['v']}, but {outcomes.count(PASSED)} of {len(outcomes)} tests passed")
    return verdict
