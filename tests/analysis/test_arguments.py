"""name=value command lines."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Annotated, Literal

import pytest

from crucible.analysis.arguments import parse, run
from crucible.errors import UserError


def program(
    *,
    run: tuple[Path, ...],
    step: tuple[int, ...] = (),
    correct: bool | None = None,
    rate: float = 0.5,
    format: Literal["text", "html"] = "text",
    name: str = "",
    limit: Annotated[int, ">= 0"] = 1,
    share: Annotated[float, "> 0, <= 1"] | None = None,
    steps: tuple[Annotated[int, ">= 1"], ...] = (),
) -> str:
    if name == "bad":
        raise UserError("bad name")
    return f"{len(run)} runs"


def test_values_get_the_types_of_the_signature():
    given = parse(program, ["run=a", "run=b,c", "step=1,20", "correct=False", "rate=1e-3", "format=html", "name=x=y"])
    assert given == {
        "run": (Path("a"), Path("b"), Path("c")), "step": (1, 20), "correct": False, "rate": 1e-3, "format": "html",
        "name": "x=y",
    }  # fmt: skip
    assert parse(program, ["run=a", "correct=null"])["correct"] is None
    assert parse(program, ["run=a", "share=null", "limit=0"]) == {"run": (Path("a"),), "share": None, "limit": 0}
    assert parse(program, ["run=a", "name="])["name"] == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run=a", "stp=1"], r'unknown option stp \(did you mean "step"'),
        (["run=a", "step=x"], "a whole number"),
        (["run=a", "correct=perhaps"], "true or false"),
        (["run=a", "format=htm"], r'did you mean "html"'),
        (["run=a", "name=a", "name=b"], "given twice"),
        (["a"], "name=value"),
        (["step=1"], "missing run="),
        (["run="], "run is empty: give a value"),
        (["run=a", "step=,"], "step is empty"),
        (["run=a", "rate=nan"], "rate=nan: a number is needed"),
        (["run=a", "rate=inf"], "rate=inf: a number is needed"),
        (["run=a", "limit=-1"], "limit=-1: must be at least 0"),
        (["run=a", "share=2"], "share=2: must be above 0 and at most 1"),
        (["run=a", "steps=3,0"], "steps=0: must be at least 1"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(UserError, match=message):
        parse(program, arguments)


def test_a_program_prints_its_text_or_one_line(capsys):
    assert run(program, ["run=a"], usage="what it does") == 0
    assert capsys.readouterr().out == "1 runs\n"
    assert run(program, ["run=a", "name=bad"], usage="") == 2
    assert capsys.readouterr().err == "error: bad name\n"
    assert run(program, ["--help"], usage="what it does") == 0
    assert "rate=" in capsys.readouterr().out
    assert run(program, [], usage="") == 2


def test_an_error_cannot_act_on_the_terminal(capsys):
    assert run(program, ["run=a", "format=\x1b[2J\u202e"], usage="") == 2
    err = capsys.readouterr().err
    assert "\x1b" not in err
    assert "format=␛[2J<U+202E>: one of text, html" in err


def test_a_terminal_that_is_not_utf_8(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="ascii"))

    def foreign(*, name: str) -> str:
        return f"naïve {name}"

    assert run(foreign, ["name=漢"], usage="") == 0
    sys.stdout.flush()
    assert raw.getvalue() == b"na\\xefve \\u6f22\n"
