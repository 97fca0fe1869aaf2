"""Rows of JSON Lines (also gzipped), of a folder of parquet or JSON files, and of a data set on the Hub."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

from crucible.data.cells import Row
from crucible.data.jsonl import _row
from crucible.errors import UserError, expanded, nearest
from crucible.rundir.atomic import explained

LINES = (".jsonl", ".jsonl.gz", ".json", ".json.gz", ".ndjson")


def rows(source: str, config: str | None, splits: Sequence[str]) -> Iterator[Row]:
    """`config` and `splits` are of folders and data sets; a file has one split, itself.

    Errors: UserError for what is not there or cannot be read; a row that is none says so (`Row.problem`).
    """
    path = expanded(source)
    if path.is_file() or source.endswith(LINES):
        if not source.endswith(LINES):
            raise UserError(
                f"source={source}: a file of JSON Lines is needed, {' or '.join(LINES[:2])}; name its folder"
            )
        if config is not None or list(splits) != ["train"]:
            raise UserError(f"source={source}: config= and split= are for folders and data sets, not for a file")
        yield from lines(path)
        return
    if not path.is_dir() and "/" not in source:
        raise UserError(
            f"source={source}: generated, a file (.jsonl, .jsonl.gz), a folder, or OWNER/NAME on the Hub"
            f"{nearest(source, ['generated'])}"
        )
    from crucible.data.hf import load_split

    for split in splits:
        try:
            yield from load_split(source, config, split, [], None)
        except UserError as error:
            raise UserError(str(error).replace("data=hf: ", f"source={source}: ", 1)) from None


def lines(path: Path, start: int = 0) -> Iterator[Row]:
    """From line `start` (counted from 0) on. Blank lines are no rows."""
    with ExitStack() as stack:
        with explained("cannot read", path):
            raw = stack.enter_context(path.open("rb"))
        file = stack.enter_context(gzip.open(raw)) if path.suffix == ".gz" else raw
        try:
            for number, line in islice(enumerate(file, 1), start, None):
                if line := line.strip().removeprefix(b"\xef\xbb\xbf"):
                    yield _row(f"{path}:{number}", line)
        except (OSError, EOFError, zlib.error) as error:
            raise UserError(f"cannot read {path}: {error}") from None
