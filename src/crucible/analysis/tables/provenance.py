"""The side file of a table: for every cell its runs, their commits and scores, and the tests."""

from __future__ import annotations

import json
from typing import Any

from crucible.analysis.runs import Run
from crucible.analysis.statistics import Difference
from crucible.analysis.tables.build import Built
from crucible.analysis.tables.cells import Cell
from crucible.rundir.encoding import encode


def side_file(built: Built, command: str) -> str:
    """JSON: {"table", "command", "runs": {name: {path, run_id, seed, commit, ...}}, "cells": [...]}."""
    runs = {run.name: _run(run) for chosen in built.chosen for run in chosen.runs}
    cells = [
        {"row": row.name, "column": column.name, **_cell(cell), **({"paper": _paper(number)} if number else {})}
        for row, line, paper in zip(built.definition.rows, built.cells, built.paper, strict=True)
        for column, cell, number in zip(built.definition.columns, line, paper, strict=True)
    ]
    left_out = {chosen.row.name: list(chosen.left_out) for chosen in built.chosen if chosen.left_out}
    content = {"table": built.definition.name, "command": command, "runs": runs, "not_counted": left_out}
    return json.dumps(encode({**content, "cells": cells}), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _run(run: Run) -> dict[str, Any]:
    facts = {name: run.facts.get(name) for name in ("run_id", "experiment", "commit", "dirty", "code_version")}
    return {"path": run.path, "seed": run.seed, **facts}


def _cell(cell: Cell) -> dict[str, Any]:
    found: dict[str, Any] = {"scores": {score.run.name: list(score.values) for score in cell.scores}}
    if cell.missing:
        found["missing"] = cell.missing
    if cell.estimate:
        e = cell.estimate
        found |= {"value": e.value, "low": e.low, "high": e.high, "seeds": len(cell.scores), "interval": e.method}
        found |= {"error_over_problems": cell.error_over_problems, "best": cell.best, "tied": cell.tied}
    if cell.against:
        found["against_baseline"] = {**_test(cell.against), "p_holm": cell.p_corrected}
    if cell.by_problem:
        found["against_baseline_over_problems"] = _test(cell.by_problem)
    return found


def _test(found: Difference) -> dict[str, Any]:
    i = found.interval
    return {"difference": i.value, "low": i.low, "high": i.high, "p": found.p, "test": found.method, "n": i.n}


def _paper(number: Any) -> dict[str, str]:
    return {"value": number.value, "source": number.source, "note": number.note}
