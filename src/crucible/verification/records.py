"""The rows of the pipeline's files (JSON Lines), and the checks of those a user brings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from crucible.errors import UserError, nearest
from crucible.rundir.atomic import explained

Tests = Any  # what `crucible.sandbox.formats.suite_of` takes
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Problem:
    """`gold`: hidden tests, null where there are none; `reference`: a right program, where one is known.

    `program` and `support` are what `reward=unit_tests` knows by these names; `source` says who made it.
    """

    problem: str
    prompt: str
    difficulty: int = 0
    entry_point: str = ""
    gold: Tests = None
    reference: str | None = None
    program: Mapping[str, Any] | None = None
    support: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Solution:
    """`kind`: correct, near or wrong, where the generator knows; `form`: see `crucible.data.programs.forms`."""

    problem: str
    solution: str
    completion: str
    kind: str | None = None
    form: str = ""


@dataclass(frozen=True, slots=True)
class Suite:
    """`tests`: each counted once. `reference_outcomes`: of the problem's reference, null without one; `wrong`: which
    tests are known to expect a wrong value, null where nobody knows.
    """

    problem: str
    suite: str
    strategy: str
    tests: Tests
    support: str = ""
    reference_outcomes: list[str] | None = None
    wrong: list[bool] | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """`v`: V(s; T) = passed / |T|, null for |T| = 0. `seconds`: of the process in which these tests ran."""

    problem: str
    solution: str
    difficulty: int
    suite: str
    outcomes: list[str]
    v: float | None
    gold: bool | None
    gold_outcomes: list[str] | None
    form: str
    kind: str | None = None
    judge: float | None = None
    seconds: float = 0.0


def row(record: Any) -> dict[str, Any]:
    return asdict(record)


def read(path: Path, kind: type[T]) -> list[T]:
    """The rows of a file. Errors: UserError that names the line, for what is no such row; other keys are left out."""
    return [record for _, record in _read(path, kind)]


def _read(path: Path, kind: type[T]) -> Iterator[tuple[str, T]]:
    known = kind.__dataclass_fields__  # type: ignore[attr-defined]
    needed = [name for name, f in known.items() if f.default is f.default_factory is field().default]
    with explained("cannot read", path):
        lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError):
            raise UserError(f"{where} is not JSON") from None
        if not isinstance(fields, dict):
            raise UserError(f"{where} is a JSON {type(fields).__name__}, not an object")
        for name in needed:
            if name not in fields:
                has = ", ".join(map(str, fields)) or "nothing"
                raise UserError(f'{where} has no "{name}"{nearest(name, map(str, fields))}; it has {has}')
        fields = {name: value for name, value in fields.items() if name in known}
        for name, value in fields.items():
            _refuse_type(where, name, value, str(known[name].type))
        yield where, kind(**fields)


def _refuse_type(where: str, name: str, value: Any, wanted: str) -> None:
    kinds: dict[str, Any] = {"str": str, "int": int, "float": (int, float)}
    plain = wanted.removesuffix(" | None")
    if plain in kinds and not isinstance(value, kinds[plain]) and not (value is None and plain != wanted):
        raise UserError(f"{where}: {name} is {json.dumps(value)[:40]}, which is no {plain}")


def read_problems(path: Path) -> list[Problem]:
    """Errors: UserError for no problem at all, and for an id that is there twice."""
    found = list(_read(path, Problem))
    if not found:
        raise UserError(f"{path} has no problem")
    refuse_repeated([(where, problem.problem) for where, problem in found], "problem")
    return [problem for _, problem in found]


def read_solutions(path: Path, problems: Sequence[Problem]) -> dict[str, list[Solution]]:
    """Of each problem; solutions without an id get their number. Errors: UserError, also for an unknown problem."""
    known, found = {problem.problem for problem in problems}, dict[str, list[Solution]]()
    places = []
    for where, solution in _read(path, _Given):
        if solution.problem not in known:
            raise UserError(f"{where}: there is no problem {solution.problem!r}{nearest(solution.problem, known)}")
        given = found.setdefault(solution.problem, [])
        name = solution.solution or f"{solution.problem}/{len(given)}"
        places.append((where, f"{solution.problem} {name}"))
        given.append(Solution(solution.problem, name, solution.completion, solution.kind))
    refuse_repeated(places, "solution")
    return found


@dataclass(frozen=True, slots=True)
class _Given:
    """A solution in a user's file."""

    problem: str
    completion: str
    solution: str = ""
    kind: str | None = None


def refuse_repeated(places: Sequence[tuple[str, str]], what: str) -> None:
    first: dict[str, str] = {}
    for where, name in places:
        if name in first:
            raise UserError(f"{where}: {what} {name!r} is there twice, first at {first[name]}")
        first[name] = where
