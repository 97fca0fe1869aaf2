"""The numbers a paper printed: analysis/reference/<paper>.csv, a line a number, with where it stands.

arxiv,version,table,model,method,metric,value,unit,note
2509.20712,v5,1,DeepSeek-R1-Distill-Qwen-1.5B,GRPO,AIME24,33.4,%,
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from crucible.errors import UserError, nearest

COLUMNS = ("arxiv", "version", "table", "model", "method", "metric", "value", "unit", "note")


@dataclass(frozen=True, slots=True)
class Printed:
    """One printed number, as text, so that it is shown with the digits it was printed with."""

    arxiv: str
    version: str
    table: str
    model: str
    method: str
    metric: str
    value: str
    unit: str
    note: str

    @property
    def source(self) -> str:
        version = self.version if self.version.startswith("v") else ""
        if self.table == "not found":
            return f"arXiv {self.arxiv}{version}"
        return f"arXiv {self.arxiv}{version}, {'Table ' if self.table.isdigit() else ''}{self.table}"


def read_reference(name: str, root: Path) -> list[Printed]:
    """The numbers in `root`/reference/<name>.csv. Errors: UserError when there is no such file, or a line is short."""
    path = root / "reference" / f"{name}.csv"
    if not path.is_file():
        known = sorted(p.stem for p in path.parent.glob("*.csv"))
        raise UserError(f"no reference numbers {path}{nearest(name, known)}; a table without them has no `paper:` key")
    with path.open(encoding="utf-8", newline="") as file:
        lines = [row for row in csv.reader(file) if row and not row[0].startswith("#")]
    if not lines or tuple(lines[0]) != COLUMNS:
        raise UserError(f"{path}: the first line must be {','.join(COLUMNS)}")
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(COLUMNS):
            raise UserError(f"{path}: line {number} has {len(line)} fields of {len(COLUMNS)}: {','.join(line)}")
    return [Printed(*line) for line in lines[1:]]


def printed(numbers: Sequence[Printed], wanted: Mapping[str, str], *, where: str) -> Printed | None:
    """The number with these fields; None where the paper has no such cell.

    Errors: UserError, naming the nearest, for a model, method, metric or table that occurs nowhere, and where
    several numbers fit.
    """
    for key, value in wanted.items():
        if key not in COLUMNS:
            raise UserError(f"{where}: paper: unknown field {key}{nearest(key, COLUMNS)}; fields: {', '.join(COLUMNS)}")
        known = {getattr(n, key) for n in numbers}
        if value not in known:
            raise UserError(
                f"{where}: no reference number has {key} {value!r}{nearest(value, known)}; there are: "
                f"{', '.join(sorted(known))}"
            )
    found = [n for n in numbers if all(getattr(n, key) == value for key, value in wanted.items())]
    if len(found) > 1:
        lines = "; ".join(f"{n.source}, {n.model}, {n.method}: {n.value}" for n in found)
        raise UserError(f"{where}: several reference numbers fit ({lines}); name the model or the table")
    return found[0] if found else None
