"""Every bad input gets one clear line, a non-zero exit code and leaves nothing half-made."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from tests.bad_input import page
from tests.bad_input.case import Case
from tests.bad_input.run import Outcome, arguments, environment, judge, place, run
from tests.bad_input.topics import CASES, TOPICS
from tests.conftest import ROOT


def quick(number: int, case: Case) -> bool:
    """Every second case that the config alone decides; all of them, and those that get as far as a run, are slow."""
    return number % 2 == 0 and not (case.slow or case.small)


def listed() -> list[ParameterSet]:
    found = []
    for topic in TOPICS:
        for number, case in enumerate(topic.CASES):
            name = f"{topic.__name__.rpartition('.')[2]}-{case.name}".replace(" ", "-")
            found.append(pytest.param(case, id=name, marks=[] if quick(number, case) else [pytest.mark.slow]))
    return found


@pytest.mark.parametrize("case", listed())
def test_what_the_user_sees(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    place(case, tmp_path)
    with environment(case):
        judge(case, run(case, tmp_path), tmp_path)


SAMPLE = [
    "no such option",
    "no such flag",
    "a group of one",
    "OMP_NUM_THREADS is a word",
    "one JSON list instead of lines",
]


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLE)
def test_the_same_from_a_process_of_its_own(name: str, tmp_path: Path) -> None:
    """In-process runs could hide what happens at start-up and at exit."""
    case = next(c for c in CASES if c.name == name)
    place(case, tmp_path)
    done = subprocess.run(
        [sys.executable, *arguments(case, tmp_path)],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}",
            **{k: v for k, v in case.env.items() if v},
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    judge(case, Outcome(done.returncode, done.stdout, done.stderr), tmp_path)


def test_there_are_enough_and_none_is_there_twice() -> None:
    assert len(CASES) >= 150
    twice = [
        key for key, n in Counter((c.command, str(c.files), str(c.given), str(c.env)) for c in CASES).items() if n > 1
    ]
    assert not twice


def test_the_page_is_made_from_the_cases() -> None:
    """If this fails: python -m tests.bad_input.page docs/errors.md"""
    assert (ROOT / "docs" / "errors.md").read_text(encoding="utf-8") == page.page()
