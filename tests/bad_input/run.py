"""Running a case in this process as its program would, and judging what came of it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import runpy
import shlex
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from tests.bad_input.case import SOMETHING, Case
from tests.conftest import ROOT, SMALL


@dataclass(frozen=True)
class Outcome:
    code: object
    out: str
    err: str


def arguments(case: Case, folder: Path) -> list[str]:
    """The command line as a program gets it. Options of a small run come first, so that the case has the last word."""
    program, *words = shlex.split(case.command.replace("{here}", str(folder)))
    if program == "-m":
        program, words = f"src/{words[0].replace('.', '/')}/__main__.py", words[1:]
    small = [option for option in SMALL if not option.startswith(case.but)] if case.small else []
    return [str(ROOT / program), *small, *words]


def place(case: Case, folder: Path) -> None:
    for name, content in case.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def run(case: Case, folder: Path) -> Outcome:
    """The case, whose files are in `folder` already, in this process. What is no exit of a program is raised."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    argv = arguments(case, folder)
    surroundings = case.given(folder) if case.given else nullcontext()
    with (
        mock.patch.object(sys, "argv", argv),
        mock.patch.object(sys, "path", [str(Path(argv[0]).parent), *sys.path]),
        surroundings,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        before = files_in(folder)
        try:
            runpy.run_path(argv[0], run_name="__main__")
        except SystemExit as end:
            code = end.code
        after = files_in(folder)
    left = sorted(name for name in before | after if before.get(name) != after.get(name))
    may = (".cache/", "runs/") if case.started or case.goes_on else (".cache/",)  # a cache's keys are hashes
    left = [name for name in left if not name.startswith(may)]
    assert not left, f"files were made, changed or removed: {left}"
    return Outcome(code, out.getvalue(), err.getvalue())


def files_in(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file with its size and time of change. Empty folders do not count."""
    return {
        str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def judge(case: Case, outcome: Outcome, folder: Path) -> None:
    """Is it what the table says? Asserts so."""
    if case.goes_on:
        assert outcome.code == 0, f"exit code {outcome.code}\n{outcome.out}{outcome.err}"
        assert any(re.fullmatch(expression(case.sees), line) for line in outcome.out.splitlines()), outcome.out
        return
    assert outcome.code == 2, f"exit code {outcome.code}\n{outcome.out}{outcome.err}"
    assert "Traceback" not in outcome.out + outcome.err
    wanted = [
        f"error: {line}" for line in case.sees.replace("{here}", str(folder)).replace("{root}", str(ROOT)).splitlines()
    ]
    lines = outcome.err.splitlines()
    assert len(lines) == len(wanted), f"expected {len(wanted)} lines\n{outcome.err}"
    for line, pattern in zip(lines, wanted, strict=True):
        assert re.fullmatch(expression(pattern), line), f"\nseen:     {line}\nexpected: {pattern}"
    if case.started:
        states = [json.loads(path.read_text()) for path in folder.glob("runs/*/*/status.json")]
        assert [(s["state"], bool(s["error"])) for s in states] == [("failed", True)]


def expression(pattern: str) -> str:
    return ".*".join(re.escape(part) for part in pattern.split(SOMETHING))


@contextlib.contextmanager
def environment(case: Case) -> Iterator[None]:
    with mock.patch.dict(os.environ):
        for name, value in case.env.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        yield
