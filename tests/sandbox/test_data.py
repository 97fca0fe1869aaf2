"""Reference solutions of HumanEval and MBPP pass their own tests. CRUCIBLE_DATA names the folder with the files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from crucible.sandbox import Limits, Sandbox, SuiteError
from crucible.sandbox.formats import humaneval, mbpp, suite_of

PATIENT = Limits(wall_seconds=60, cpu_seconds=60)


def rows(name: str) -> list[dict[str, Any]]:
    path = Path(os.environ.get("CRUCIBLE_DATA", "")) / name
    if not os.environ.get("CRUCIBLE_DATA") or not path.is_file():
        pytest.skip(f"CRUCIBLE_DATA does not name a folder with {name}")
    return [json.loads(line) for line in path.read_text().splitlines()]


def failing(found: list[tuple[str, Any, str]]) -> list[Any]:
    """Ids whose program does not pass all of its tests."""
    with Sandbox(limits=PATIENT) as box:
        reports = [(name, box.check(program, suite)) for name, suite, program in found]
    return [name for name, report in reports if report.passed < report.total]


@pytest.mark.slow
def test_humaneval_references_pass() -> None:
    data = rows("humaneval/test.jsonl")
    assert failing([(r["task_id"], humaneval(r), r["prompt"] + r["canonical_solution"]) for r in data]) == []


@pytest.mark.slow
def test_mbpp_references_pass() -> None:
    assert failing([(r["task_id"], mbpp(r), r["code"]) for r in rows("mbpp/mbpp.jsonl")]) == []


@pytest.mark.slow
def test_wrong_programs_do_not_pass() -> None:
    """The solution of the task before, under this one's name: wrong but for the rare pair that agrees."""
    data = rows("humaneval/test.jsonl")[:40]
    empty = [(r["task_id"], humaneval(r), r["prompt"] + "    return None\n") for r in data]
    assert len(failing(empty)) == len(data)


@pytest.mark.parametrize("tests", [None, 3, {"inputs": [1], "outputs": ["1"]}, {"inputs": []}, [1], '{"a"'])
def test_shapes_that_are_no_suite(tests: Any) -> None:
    with pytest.raises(SuiteError):
        suite_of(tests)
