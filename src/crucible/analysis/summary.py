"""What a run changed, as a table: held-out accuracy before and after, rewarded and true, entropy.

python -m crucible.analysis.summary runs/<experiment>/<run_id>
"""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crucible.analysis.evaluation import Evaluation, paired, powers_up_to
from crucible.analysis.find import one_run
from crucible.analysis.measured import Measured
from crucible.analysis.rows import names_in
from crucible.errors import UserError

TRAINING = ("reward/", "true/")
POLICY = (
    "policy/entropy",
    "policy/entropy_sampled",
    "policy/preserved_left",
    "policy/preserved_right",
    "policy/clip_fraction",
    "policy/kl_old",
    "completion/length",
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line: a metric at the start and at the end. `difference` is paired where problems can be paired."""

    metric: str
    before: str
    after: str
    difference: str


Section = tuple[str, list[str], list[Row]]  # title, columns, rows


def before_after_table(run_dir: Path | str) -> str:
    """The text of the table; sections without data are absent, and damage to the run is said below it.

    Intervals are 95 %; those of differences are paired by problem. Errors: UserError when `run_dir` is no
    directory, or has neither evaluations nor metrics.
    """
    run = one_run(run_dir)
    measured = Measured(run)
    found = (_held_out(measured), _other_eval(measured), _training(measured), _reward_model(measured))
    sections = [section for section in found if section]
    if not sections:
        raise UserError(f"{run.path} has neither evaluations nor metrics yet (state: {run.state})")
    lines = [f"{run.name}: {run.state}, step {run.facts['step']}"]
    if run.facts["error"]:
        lines.append(f"error: {run.facts['error']}")
    lines += [_render(*section) for section in sections]
    lines += [f"note: {problem}" for problem in run.problems]
    return "\n".join(lines).rstrip() + "\n"


def held_out_rows(first: Evaluation, last: Evaluation) -> list[Row]:
    """avg@n and pass@k of two evaluations on the same data set, with the paired difference."""
    data, n = first.data, min(first.n, last.n)
    same_n = f"{data} avg@{n}" if first.n == last.n else f"{data} avg@{first.n}, avg@{last.n}"
    rows = [Row(same_n, str(first.avg()), str(last.avg()), _difference(first, last, 1))]
    for k in powers_up_to(n):
        a, b = first.pass_at(k), last.pass_at(k)
        rows.append(Row(f"{data} pass@{k}", str(a), str(b), _difference(first, last, k)))
    return rows


def _held_out(run: Measured) -> Section | None:
    found = run.evaluations
    if not found:
        return None
    rows, problems, first, last = [], [], found[0], found[-1]
    for data in dict.fromkeys(e.data for e in found):
        mine = [e for e in found if e.data == data]
        first, last = mine[0], mine[-1]
        problems.append(f"{data}: {len(last.right)} problems x {last.n} samples")
        if first is last:
            rows.append(Row(f"{data} avg@{first.n}", str(first.avg()), "not yet", ""))
        else:
            rows += held_out_rows(first, last)
    columns = ["metric", _when(first), "after" if first is last else _when(last), "paired difference"]
    return f"Held-out ({'; '.join(problems)})", columns, rows


def _other_eval(run: Measured) -> Section | None:
    """What evaluations say beyond right answers: the reward on held-out problems, true fulfilment, length.

    Also avg@k and pass@k of a run whose rows hold no counts by problem, with the intervals they hold."""
    counted, rows = bool(run.evaluations), []
    for name in names_in(run.rows):
        tail = name.rsplit("/", 1)[-1]
        if not name.startswith("eval/") or tail.endswith(("_low", "_high")) or (counted and "@" in tail):
            continue
        found = [r for r in run.rows if name in r]
        if len(found) > 1:
            first, last = (_with_limits(r, name) for r in (found[0], found[-1]))
            change = f"{found[-1][name] - found[0][name]:+.3g}"
            rows.append(Row(name.removeprefix("eval/"), first, last, change))
    return ("Held-out, further metrics", ["metric", "first", "last", "difference"], rows) if rows else None


def _training(run: Measured) -> Section | None:
    names = [n for n in run.metrics if n.startswith(TRAINING) and n != "reward/std"]
    rows, width = [], 1
    for name in [*names, *(n for n in POLICY if n in run.metrics)]:
        curve = run.curve(name)
        if curve is None or len(curve) < 2:
            continue
        width = max(1, min(10, len(curve) // 4))
        rows.append(_row(name, float(curve.mean[:width].mean()), float(curve.mean[-width:].mean())))
    if not rows:
        return None
    several = f" {width} steps" if width > 1 else " step"
    return "Training rollouts", ["metric", f"first{several}", f"last{several}", "difference"], rows


def _reward_model(run: Measured) -> Section | None:
    """Rows of kind "reward_model": held-out accuracy of the reward model, by principle."""
    found = run.run.rows("reward_model")
    if not found:
        return None
    names = [n for n in names_in(found) if n in found[-1]]
    rows = [Row(n, _text(float(found[-1][n])), "", "") for n in names]
    return "Reward model, held-out", ["metric", "value", "", ""], rows


def _row(name: str, first: float, last: float) -> Row:
    return Row(name, _text(first), _text(last), f"{last - first:+.3g}")


def _text(value: float) -> str:
    return f"{value:.3f}" if math.isnan(value) or abs(value) >= 0.1 or value == 0 else f"{value:.3g}"


def _difference(first: Evaluation, last: Evaluation, k: int) -> str:
    if len(first.right) != len(last.right):
        return "other problems"
    i = paired(first, last, k)
    return f"{i.value:+.3f} [{i.low:+.3f}, {i.high:+.3f}]"


def _with_limits(row: dict[str, Any], name: str) -> str:
    low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
    text = _text(float(row[name]))
    return text if low is None or high is None else f"{text} [{low:.3f}, {high:.3f}]"


def _when(evaluation: Evaluation) -> str:
    return f"{evaluation.phase} (step {evaluation.step})"


def _render(title: str, columns: Sequence[str], rows: Sequence[Row]) -> str:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="", box=SIMPLE_HEAD, pad_edge=False)
    for i, column in enumerate(columns):
        table.add_column(column, no_wrap=True, justify="left" if i == 0 else "right")
    for row in rows:
        table.add_row(row.metric, row.before, row.after, row.difference)
    text = io.StringIO()
    Console(file=text, width=160, color_system=None, highlight=False, markup=False).print(table)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())


def main(arguments: Sequence[str]) -> int:
    """Print the table of one run directory; 2 for a wrong call."""
    if len(arguments) != 1 or arguments[0] in ("-h", "--help"):
        print("usage: python -m crucible.analysis.summary RUN_DIRECTORY", file=sys.stderr)
        return 0 if arguments and arguments[0] in ("-h", "--help") else 2
    try:
        print(before_after_table(arguments[0]), end="")
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
