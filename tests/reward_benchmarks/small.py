"""Small files in the benchmarks' own formats, and the command as it is typed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import evaluate_rm
import pytest

from crucible.analysis import arguments


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def rm_bench_row(number: int, chosen: Sequence[str], rejected: Sequence[str]) -> dict[str, Any]:
    return {"id": number, "prompt": f"question {number}", "chosen": list(chosen), "rejected": list(rejected)}


def judgebench_row(name: str, source: str, a: str, b: str, label: Any = "A>B", **more: Any) -> dict[str, Any]:
    return {"pair_id": name, "source": source, "question": f"question {name}", "response_A": a, "response_B": b,
            "label": label, "response_model": "gpt-4o-2024-05-13", **more}  # fmt: skip


def run(*options: str) -> int:
    return arguments.run(evaluate_rm.plainly, list(options), usage="")


def refused(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """The one line that a bad input gets."""
    capsys.readouterr()
    assert run(*options) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    (line,) = [text for text in shown.err.splitlines() if text.startswith("error: ")]
    assert "Traceback" not in shown.err
    return line.removeprefix("error: ")


def summary(out: Path) -> dict[str, Any]:
    return json.loads((out / "summary.json").read_text())


def rows_of(out: Path) -> dict[str, Any]:
    return {row["name"]: row for row in summary(out)["rows"]}


def real(name: str) -> Path:
    path = Path(os.environ.get("CRUCIBLE_DATA", "")) / name
    if not os.environ.get("CRUCIBLE_DATA") or not path.exists():
        pytest.skip(f"CRUCIBLE_DATA does not name a folder with {name}")
    return path
