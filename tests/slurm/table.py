"""The fault table: what each fault looked like in `status`, and what became of the run."""

from __future__ import annotations

ROWS: list[tuple[str, str, str, str]] = []


def record(fault: str, state: str, note: str, after: str) -> None:
    ROWS.append((fault, state, note, after))


def text() -> str:
    """Markdown."""
    lines = ["| fault | state in status | note | after |", "|---|---|---|---|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in ROWS])
