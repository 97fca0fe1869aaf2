"""One bad input, as data: what is typed, in which place, and what the user sees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

SOMETHING = "..."  # in `sees`: any text, where a line lists what there is and grows with the laboratory


@dataclass(frozen=True, kw_only=True)
class Case:
    """`command` is run in a folder that holds `files` and what `given` makes there, under `env` (None: not set).

    `sees`: every line on stderr, without the leading "error: "; the exit code is 2, and no file is made or changed.
    `small`: with the options of a small run in front, `but` those that begin like this. `started`: the run had begun,
    so its directory stays, failed. `goes_on`: the run is worth more than this and finishes, `sees` being a line of its
    report and the exit code 0. {here} is the folder of the case, {root} the repository.
    """

    name: str
    command: str
    sees: str
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    given: Callable[[Path], AbstractContextManager[None]] | None = None
    env: Mapping[str, str | None] = field(default_factory=dict)
    small: bool = False
    but: tuple[str, ...] = ()
    started: bool = False
    goes_on: bool = False
    slow: bool = False

    @property
    def program(self) -> str:
        return self.command.split()[0]
