"""From a table's definition and the runs to its cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from crucible.analysis.frame import with_choices
from crucible.analysis.runs import Run
from crucible.analysis.tables.cells import Cell, against_baseline, cell, with_best
from crucible.analysis.tables.definition import Column, Row, TableDefinition, with_rows_of
from crucible.analysis.tables.measure import data_sets, scores_of
from crucible.analysis.tables.reference import Printed, printed, read_reference
from crucible.analysis.tables.selection import FINISHED, Chosen, choose, refuse_mixed_settings


@dataclass(frozen=True, slots=True)
class Built:
    """Cells and the paper's numbers, both rows x columns; `tests` has the sizes of Holm's families."""

    definition: TableDefinition
    chosen: tuple[Chosen, ...]
    cells: list[list[Cell]]
    paper: list[list[Printed | None]]
    tests: tuple[int, ...]
    mixed: bool


def build(definition: TableDefinition, runs: Sequence[Run], root: Path, *, allow_mixed: bool, seed: int = 0) -> Built:
    """Every cell of the table. Errors: UserError for what `selection`, `measure` and `reference` refuse."""
    definition = with_rows_of(definition, [with_choices(run.config) for run in runs])
    paper = paper_numbers(definition, root)
    chosen = tuple(choose(row, runs, allow_mixed=allow_mixed) for row in definition.rows)
    cells: list[list[Cell]] = [[] for _ in definition.rows]
    used = [run for c in chosen for run in c.runs]
    for column in definition.columns:
        data = data_sets(used, column) if used else []
        if data and not allow_mixed:
            refuse_mixed_settings(chosen, column.name)
        for i, row in enumerate(chosen):
            cells[i].append(_cell(row, column, data, definition, allow_mixed, seed))
    if definition.sort_by is not None:
        order = _order(definition, cells)
        chosen, cells, paper = tuple(chosen[i] for i in order), [cells[i] for i in order], [paper[i] for i in order]
        definition = replace(definition, rows=tuple(definition.rows[i] for i in order))
    names = [row.name for row in definition.rows]
    baseline = None if definition.baseline is None else names.index(definition.baseline)
    compared, tests = against_baseline(cells, definition.columns, baseline, definition.level)
    best = with_best(compared, definition.columns, definition.level)
    return Built(definition, chosen, best, paper, tests, allow_mixed)


def _order(definition: TableDefinition, cells: Sequence[Sequence[Cell]]) -> list[int]:
    """Row numbers, the best value of the column `sort_by` first; equal ones and rows without a value as they stand."""
    place = [column.name for column in definition.columns].index(definition.sort_by or "")
    sign = 1.0 if definition.columns[place].better == "lower" else -1.0

    def key(i: int) -> tuple[bool, float]:
        estimate = cells[i][place].estimate
        return (True, 0.0) if estimate is None else (False, sign * estimate.value)

    return sorted(range(len(cells)), key=key)


def paper_numbers(definition: TableDefinition, root: Path) -> list[list[Printed | None]]:
    """The printed number of each cell, None where the table or the paper has none."""
    if not definition.paper:
        return [[None] * len(definition.columns) for _ in definition.rows]
    fields = dict(definition.paper)
    numbers = read_reference(fields.pop("reference", definition.name.partition("/")[0]), root)
    return [[_printed(numbers, fields, row, column) for column in definition.columns] for row in definition.rows]


def _printed(numbers: Sequence[Printed], fields: dict[str, str], row: Row, column: Column) -> Printed | None:
    if row.paper is None or column.paper is None:
        return None
    of_row = {"method": row.paper} if isinstance(row.paper, str) else row.paper
    return printed(numbers, {**fields, **of_row, "metric": column.paper}, where=f"row {row.name}, column {column.name}")


def _cell(
    row: Chosen, column: Column, data: Sequence[str], definition: TableDefinition, allow_mixed: bool, seed: int
) -> Cell:
    if not row.runs:
        waiting = [line for line in row.left_out if line.endswith(")")]
        return Cell((), missing=f"no {FINISHED} runs" if waiting and _has_runs(row) else "no runs")
    scores = scores_of(row.runs, column, phase=row.row.phase, data=data, allow_mixed=allow_mixed)
    found = cell(scores, column, definition, seed=seed)
    return found if scores else replace(found, missing="not measured")


def _has_runs(row: Chosen) -> bool:
    return not any(line.startswith(("no run with", "no run has")) for line in row.left_out)
