"""name=value command lines."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

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
