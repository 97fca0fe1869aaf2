"""Annotating a file of chains, which can be stopped and gone on with; and reading what was annotated.

    {"chain": "c17", "patterns": ["restate problem", "split number", "add step"]}

Line i of the pattern file is of line i of the chains. Files that others annotated in this form are read as well.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from crucible.cotp.chains import CoT
from crucible.errors import UserError
from crucible.rundir.atomic import explained
from crucible.rundir.jsonl import JsonlWriter, repair

TOGETHER = 64  # chains given to the annotator at a time
LONGEST = 80  # characters of a label


@dataclass(frozen=True, slots=True)
class Failed:
    """The annotator gave no labels. `final`: it answered, and not with labels; else asking again may help."""

    problem: str
    final: bool = False


class Annotator(Protocol):
    def __call__(self, chains: Sequence[CoT]) -> list[list[str] | Failed]:
        """The labels of each chain, in order, or why there are none."""
        ...


def annotate(
    chains: Iterable[CoT],
    annotator: Annotator,
    out: Path,
    *,
    on_failure: str = "stop",
    report: Callable[[str], None] = lambda line: None,
    stop: Callable[[], Any] = lambda: None,
) -> int:
    """Write the patterns of `chains` to `out`, after those that are there already. Returns how many are there.

    on_failure: "stop" (what was annotated before stays, the same command goes on), or "leave", which writes a line
    without patterns and with the problem. Errors: UserError for a failure, and for a file of other chains.
    """
    if on_failure not in ("stop", "leave"):
        raise UserError(f"on_failure={on_failure}: stop or leave")
    if out.exists():
        with explained("cannot write", out):
            repair(out)
    rest = iter(chains)
    done = 0
    if out.exists():
        for row in pattern_rows(out):
            chain = next(rest, None)
            if chain is None or row.get("chain") != chain.id:
                of = "none" if chain is None else repr(chain.id)
                raise UserError(
                    f"{out}:{done + 1} is of chain {row.get('chain')!r}, the chains have {of} there; delete it"
                )
            done += 1
        if done:
            report(f"{out}: {done:,} chains were annotated before")
    part = list(islice(rest, TOGETHER))  # before there is a file: chains that cannot be read leave none
    with explained("cannot write", out):
        out.parent.mkdir(parents=True, exist_ok=True)
        writer = JsonlWriter(out)
    try:
        while part:
            for chain, found in zip(part, annotator(part), strict=True):
                if isinstance(found, Failed):
                    if on_failure == "stop":
                        writer.sync()
                        raise UserError(
                            f"the annotator failed at chain {chain.id}: {found.problem}; {done:,} chains are in {out}, "
                            + (
                                "on_failure=leave goes on without it"
                                if found.final
                                else "the same command goes on from there"
                            )
                        )
                    writer.write({"chain": chain.id, "patterns": [], "problem": found.problem})
                else:
                    writer.write({"chain": chain.id, "patterns": found})
                done += 1
            report(f"{out}: {done:,} chains annotated")
            if stop():
                break
            part = list(islice(rest, TOGETHER))
    finally:
        writer.close()
    return done


def read_patterns(path: Path, ids: Iterable[str]) -> Iterator[list[str]]:
    """The patterns of these chains, in this order, from a file that has theirs in the same order.

    Errors: UserError for a file that ends before, of other chains, or with lines of another form.
    """
    if not path.is_file():
        raise UserError(f"no patterns at {path}; python -m crucible.cotp annotate makes them")
    rows, number = pattern_rows(path), 0
    for number, chain in enumerate(ids, 1):
        row = next(rows, None)
        if row is None:
            raise UserError(
                f"{path} ends before chain {chain} (line {number}): it is not annotated to its end; go on with it"
            )
        if row.get("chain") != chain:
            raise UserError(
                f"{path}:{number} is of chain {row.get('chain')!r}, not of {chain!r}: it belongs to other chains"
            )
        yield labels_of(row.get("patterns"), f"{path}:{number}")


def labels_of(value: Any, where: str) -> list[str]:
    """A list of labels, tidied: white space joined, none longer than `LONGEST` characters."""
    if not isinstance(value, list) or not all(isinstance(label, str) for label in value):
        raise UserError(f'{where}: "patterns" must be a list of texts')
    return [" ".join(label.split())[:LONGEST] for label in value if label.strip()]


def pattern_rows(path: Path, start: int = 0) -> Iterator[dict[str, Any]]:
    """The lines from number `start` (counted from 0) on; those before are not looked at. Errors: UserError."""
    with explained("cannot read", path), path.open("rb") as file:
        for number, line in islice(enumerate(file, 1), start, None):
            try:
                row = json.loads(line)
            except ValueError:
                row = None
            if not isinstance(row, dict):
                raise UserError(f"{path}:{number} is no JSON object")
            yield row
