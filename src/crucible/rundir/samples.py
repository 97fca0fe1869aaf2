"""Sampled completions: samples/step-000100.jsonl, one line a completion.

A line: prompt_id, prompt (text or list of messages), completion, finish_reason ("stop" | "length"),
reward (the total), components (by name), success (true success, by program). Further keys are kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from crucible.errors import UserError
from crucible.rundir.atomic import add_folder, explained
from crucible.rundir.encoding import decode_numbers
from crucible.rundir.jsonl import read_jsonl, write_jsonl

FOLDER = "samples"
REQUIRED = ("prompt", "completion")
NUMBERS = ("reward", "components")
_NAME = re.compile(r"step-(\d+)\.jsonl")


def samples_file(run: Path, step: int) -> Path:
    return run / FOLDER / f"step-{step:06d}.jsonl"


def write_samples(run: Path, step: int, rows: Iterable[dict[str, Any]]) -> Path:
    """Store the samples of a step, all or none; those of an earlier attempt at the step are replaced."""
    rows = list(rows)
    for row in rows:
        for name in REQUIRED:
            if name not in row:
                raise ValueError(f"a sample of step {step} has no {name!r}: it has {', '.join(row)}")
    path = samples_file(run, step)
    with explained("cannot write", path):
        add_folder(path.parent)
    write_jsonl(path, rows)
    return path


def sampled_steps(run: Path) -> list[int]:
    """Steps of which samples are stored."""
    folder = run / FOLDER
    if not folder.is_dir():
        return []
    return sorted(int(m[1]) for p in folder.iterdir() if (m := _NAME.fullmatch(p.name)))


def read_samples(run: Path, step: int) -> list[dict[str, Any]]:
    """The samples of a step. Errors: UserError naming the nearest stored step."""
    path = samples_file(run, step)
    if not path.is_file():
        stored = sampled_steps(run)
        near = min(stored, key=lambda s: abs(s - step)) if stored else None
        raise UserError(f"no samples of step {step} in {run}" + (f"; the nearest step is {near}" if stored else ""))
    rows = read_jsonl(path)
    return [{k: decode_numbers(v) if k in NUMBERS else v for k, v in row.items()} for row in rows]
