"""What the slurm tests saw, printed at their end: the fault table, and whatever else was worth a look."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

FAULTS: list[tuple[str, str, str, str]] = []
SEEN: list[tuple[str, str]] = []  # (title, text)


def record(fault: str, state: str, note: str, after: str) -> None:
    """One fault of a single run: its state in `status`, and what became of the run."""
    FAULTS.append((fault, state, note, after))


def show(title: str, text: str) -> None:
    SEEN.append((title, text))


def markdown(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])


def text() -> str:
    return markdown(("fault", "state in status", "note", "after"), FAULTS)
