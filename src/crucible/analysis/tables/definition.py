"""A table as data: analysis/tables/<paper>/<table>.yaml.

title: CE-GPPO in miniature
runs: [sweep:ce_gppo/miniature]     # where runs are looked for when the command names none
arms: ce_gppo                       # analysis/arms/ce_gppo.yaml
where: {model: tiny}                # of every row
baseline: GRPO                      # the row others are compared with
interval: t                         # t | percentile: crucible.analysis.statistics.stratified
paper: {reference: ce_gppo, table: "1", model: DeepSeek-R1-Distill-Qwen-1.5B}
columns:
  avg@16: {metric: avg@16, data: chain, percent: true, paper: AIME24}
  entropy: {metric: policy/entropy, window: 0.1, better: none, digits: 3}
rows:
  Start: {where: {}, phase: before, paper: base}
  GRPO: {arm: grpo, paper: GRPO}
  CE-GPPO 0.5/1: {where: {algo.loss: ce_gppo, algo.loss.beta1: 0.5}, paper: CE-GPPO 0.5/1}
rows_by: sweep.algo                 # one more row for each value this option has among the runs
sort_by: avg@16                     # the best of this column first; rows without a value last
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

from crucible.analysis.arms import read_arms, read_yaml
from crucible.errors import UserError, nearest


@dataclass(frozen=True, kw_only=True)
class Column:
    """What is measured.

    metric: avg@k (avg@n: whatever number of samples), pass@k, all@k out of counts by problem; another metric of
    the evaluations ("length"); or a curve ("policy/entropy"), its mean over the last `window` (a share) of the steps.
    data: data set, or several, which `aggregate` joins; null: the only one there is.
    """

    name: str
    metric: str
    data: str | list[str] | None = None
    of: Literal["after", "before", "change"] = "after"
    aggregate: Literal["mean", "median", "iqm", "optimality_gap"] = "mean"
    window: float = 0.1
    percent: bool = False
    digits: int | None = None
    better: Literal["higher", "lower", "none"] = "higher"
    paper: str | None = None


@dataclass(frozen=True, kw_only=True)
class Row:
    """Which runs. `phase: before` takes the policy they started from, each distinct one once."""

    name: str
    arm: str | None = None
    where: Mapping[str, Any] = field(default_factory=dict)
    phase: Literal["before", "after"] = "after"
    paper: str | Mapping[str, str] | None = None


@dataclass(frozen=True, kw_only=True)
class TableDefinition:
    name: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...] = ()
    rows_by: str | None = None
    sort_by: str | None = None
    title: str = ""
    runs: tuple[str, ...] = ()
    arms: str | None = None
    where: Mapping[str, Any] = field(default_factory=dict)
    baseline: str | None = None
    interval: Literal["t", "percentile"] = "t"
    level: float = 0.95
    paper: Mapping[str, str] = field(default_factory=dict)


def read_table(name: str, root: Path) -> TableDefinition:
    """Table `<paper>/<table>` of `root`, the folder that holds tables/ and arms/; arms are put into their rows.

    Errors: UserError for an unknown table, key, value, arm or baseline, with the nearest name there is.
    """
    path = root / "tables" / f"{name}.yaml"
    raw = read_yaml(path, "table", root / "tables")
    raw = {"rows": {}, **raw} if raw.get("rows_by") else raw
    for part in ("columns", "rows"):
        if not isinstance(raw.get(part), dict) or not (raw[part] or (part == "rows" and raw.get("rows_by"))):
            raise UserError(f"{path}: {part}: a mapping of names is needed")
    columns = tuple(_made(Column, path, f"column {n}", {"name": n, **(v or {})}) for n, v in raw["columns"].items())
    rows = tuple(_made(Row, path, f"row {n}", {"name": n, **(v or {})}) for n, v in raw["rows"].items())
    runs = raw.get("runs") or ()
    given = {**raw, "name": name, "columns": columns, "rows": rows}
    given["runs"] = (runs,) if isinstance(runs, str) else tuple(runs)
    table = _made(TableDefinition, path, "", given)
    if table.sort_by is not None and table.sort_by not in raw["columns"]:
        raise UserError(f"{path}: sort_by {table.sort_by}: no such column{nearest(table.sort_by, raw['columns'])}")
    if table.baseline is not None and table.baseline not in raw["rows"] and table.rows_by is None:
        raise UserError(f"{path}: baseline {table.baseline}: no such row{nearest(table.baseline, raw['rows'])}")
    if not 0 < table.level < 1:
        raise UserError(f"{path}: level {table.level}: between 0 and 1, e.g. 0.95")
    arms = read_arms(root / "arms" / f"{table.arms}.yaml") if table.arms else {}
    for row in rows:
        if row.arm is not None and row.arm not in arms:
            hint = nearest(row.arm, arms) if table.arms else " (the table names no arms file: arms: ce_gppo)"
            raise UserError(f"{path}: row {row.name}: no arm {row.arm}{hint}")
    placed = [
        dataclasses.replace(row, where={**table.where, **(arms[row.arm].where if row.arm else {}), **row.where})
        for row in rows
    ]
    return dataclasses.replace(table, rows=tuple(placed))


def with_rows_of(table: TableDefinition, configs: Sequence[Mapping[str, Any]]) -> TableDefinition:
    """The table with a row for each value of `rows_by` in flat configs. Errors: UserError where none has it."""
    if table.rows_by is None:
        return table
    values = dict.fromkeys(config[table.rows_by] for config in configs if table.rows_by in config)
    if not values:
        hint = nearest(table.rows_by, {name for config in configs for name in config})
        raise UserError(f"table {table.name}: rows_by {table.rows_by}: no run has this option{hint}")
    more = [Row(name=str(value), where={**table.where, table.rows_by: value}) for value in values]
    rows = (*table.rows, *more)
    names = [row.name for row in rows]
    if table.baseline is not None and table.baseline not in names:
        raise UserError(f"table {table.name}: baseline {table.baseline}: no such row{nearest(table.baseline, names)}")
    return dataclasses.replace(table, rows=rows)


def table_names(root: Path) -> list[str]:
    folder = root / "tables"
    return sorted(p.relative_to(folder).with_suffix("").as_posix() for p in folder.rglob("*.yaml"))


def _made(kind: type, path: Path, where: str, values: Mapping[str, Any]) -> Any:
    """`kind(**values)` after its keys, and the words its fields choose from, have been checked."""
    hints = get_type_hints(kind)
    at = f"{path}: {where}: " if where else f"{path}: "
    for key, value in values.items():
        if key not in hints:
            raise UserError(f"{at}unknown key {key!r}{nearest(str(key), hints)}; known: {', '.join(hints)}")
        words = get_args(hints[key])
        if words and all(isinstance(w, str) for w in words) and value not in words:
            raise UserError(f"{at}{key}: {value}: one of {', '.join(words)}{nearest(str(value), words)}")
    needed = [
        f.name
        for f in dataclasses.fields(kind)
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING and f.name not in values
    ]
    if needed:
        raise UserError(f"{at}needs {', '.join(needed)}")
    return kind(**values)
