"""The status of a sweep as a table for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from crucible.sweeps.status import STATES, Standing, Survey

COLOURS = {
    "running": "green", "pending": "cyan", "preempted": "yellow", "failed": "red", "dead": "red",
    "cancelled": "magenta", "unknown": "yellow", "new": "white", "finished": "blue",
}  # fmt: skip


def status_table(title: str, survey: Survey, *, metric: str, rows: int) -> Group:
    """One row per run, those that need attention first, at most `rows` (0: all); then notes and the sum."""
    ranked = sorted(survey.standings, key=lambda standing: STATES.index(standing.state))
    shown = ranked[:rows] if rows else ranked
    keys = list(dict.fromkeys(key for standing in shown for key in standing.point.label))
    names = [key.rpartition(".")[2] if _unique_tail(key, keys) else key for key in keys]
    columns = ["run", *names, "state", "step", "try", metric, "node", "left"]
    cells = [_row(standing, keys) for standing in shown]
    wanted = [i for i in range(len(columns)) if any(len(row[i]) for row in cells)]
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for i in wanted:
        right = columns[i] in ("step", "try", metric)
        table.add_column(columns[i], no_wrap=True, justify="right" if right else "left")
    for row in cells:
        table.add_row(*(row[i] for i in wanted))
    notes = Counter((standing.state, standing.note) for standing in shown if standing.note)
    lines = [f"{state}{f' ({count} runs)' if count > 1 else ''}: {note}" for (state, note), count in notes.items()]
    return Group(table, Text("\n".join([*lines, summary(survey) + _hidden(len(ranked) - len(shown))])))


def summary(survey: Survey) -> str:
    """'24 runs: 20 finished, 3 running, 1 failed'."""
    counts = Counter(standing.state for standing in survey.standings)
    parts = [f"{counts[state]} {state}" for state in STATES if counts[state]]
    return f"{len(survey.standings)} runs: {', '.join(parts)}"


def _row(standing: Standing, keys: Sequence[str]) -> list[str | Text]:
    point = standing.point
    steps = point.config.get("steps")
    return [
        point.run_id,
        *(point.label.get(key, "") for key in keys),
        Text(standing.state, style=COLOURS[standing.state]),
        f"{standing.step}/{steps}" if steps else str(standing.step),
        str(standing.attempt or ""),
        "" if standing.metric is None else f"{standing.metric:.4g}",
        standing.node,
        standing.time_left,
    ]


def _unique_tail(key: str, keys: Sequence[str]) -> bool:
    tail = key.rpartition(".")[2]
    return sum(other.rpartition(".")[2] == tail for other in keys) == 1


def _hidden(count: int) -> str:
    return f" ({count} more rows: rows=0 shows all)" if count > 0 else ""
