"""No logger beside the files of the run directory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class NoLogger:
    """Mirrors nothing."""

    def log(self, row: Mapping[str, Any], step: int | None = None) -> None:
        pass

    def finish(self, state: str) -> None:
        pass
