"""What a reader must know of a table: where numbers came from, how intervals and tests were made, what is missing."""

from __future__ import annotations

from collections.abc import Iterable

from crucible.analysis.starts import different_starts
from crucible.analysis.tables.build import Built
from crucible.analysis.tables.cells import LEVEL


def notes(built: Built) -> list[str]:
    """One line each, without markup."""
    definition = built.definition
    cells = [cell for row in built.cells for cell in row]
    lines = []
    sources = _distinct(n.source for row in built.paper for n in row if n is not None)
    if sources:
        lines.append(f"paper: the numbers as printed in {'; '.join(sources)}.")
        remarks = _distinct(n.note for row in built.paper for n in row if n is not None and n.note)
        lines += [f"paper: {remark}." for remark in remarks]
    methods = _distinct(cell.estimate.method for cell in cells if cell.estimate is not None)
    if methods:
        lines.append(
            f"ours: mean over n seeds (training runs) with a {definition.level:.0%} interval: {'; '.join(methods)}. "
            "The problems are the same for all."
        )
    if built.tests:
        tests = _distinct(cell.against.method for cell in cells if cell.against is not None)
        lines.append(
            f"difference to {definition.baseline}: {'; '.join(tests)}; p-values corrected for "
            f"{' and '.join(map(str, built.tests))} comparisons (Holm"
            f"{'; outcomes, and columns that only describe' if len(built.tests) > 1 else ''}); * below {LEVEL}."
        )
        if any(cell.against is not None and cell.against is cell.by_problem for cell in cells):
            lines.append(
                "†: one seed on a side, so the test is over problems: it says that these runs differ, not the methods."
            )
    if any(cell.best for cell in cells):
        lines.append(
            f"bold: best of its column; ~: not distinguishable from it at {LEVEL} (same tests, Holm within the column)."
        )
    if built.mixed:
        lines.append("allow_mixed=true: rows may hold runs of different configs or evaluation settings.")
    if begun := different_starts(list({id(run): run for c in built.chosen for run in c.runs}.values())):
        lines.append(f"{begun}.")
    versions = _distinct(str(run.facts.get("code_version")) for c in built.chosen for run in c.runs)
    if len(versions) > 1:
        lines.append(f"made by {len(versions)} versions of the code: {', '.join(versions)}.")
    reasons: dict[tuple[str, ...], list[str]] = {}
    for chosen in built.chosen:
        if chosen.left_out:
            reasons.setdefault(chosen.left_out, []).append(chosen.row.name)
    for reason, rows in reasons.items():
        shown = "; ".join(reason[:6]) + (f"; and {len(reason) - 6} more" if len(reason) > 6 else "")
        lines.append(f"{', '.join(rows)}: not counted: {shown}.")
    damaged = [f"{run.name}: {problem}" for c in built.chosen for run in c.runs for problem in run.problems]
    return lines + [f"damaged: {line}." for line in _distinct(damaged)]


def _distinct(items: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(items))
