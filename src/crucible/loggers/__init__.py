"""Mirrors of a run's metrics. The run directory is the truth; a logger that fails takes no run with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Logger(Protocol):
    """What a run asks of a logger. Neither method raises."""

    def log(self, row: Mapping[str, Any], step: int | None = None) -> None:
        """One metrics row; `step` is the row's own "step" unless given."""
        ...

    def finish(self, state: str) -> None:
        """The run is over: finished, failed or preempted."""
        ...
