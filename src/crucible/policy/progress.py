"""Progress of something long: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from crucible.pulse import beat


@contextmanager
def progress(title: str, total: int, report: Callable[[str], None]) -> Iterator[Callable[[int, str], None]]:
    """Yields `show(done, note)`. On a terminal every call moves the bar; elsewhere only calls with a
    note are reported, as one line each."""
    if not sys.stderr.isatty():

        def tell(done: int, note: str) -> None:
            beat(title)
            if note:
                report(f"{title}: {done}/{total}, {note}")

        yield tell
        return

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn(title),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total, note="")

        def show(done: int, note: str) -> None:
            beat(title)
            bar.update(task, completed=done)
            if note:
                bar.update(task, note=note)

        yield show
