"""cluster=debug: the runs of a sweep one after another, in this very process."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from crucible.errors import UserError
from crucible.sweeps.ledger import Parcel
from crucible.sweeps.resources import Resources
from crucible.sweeps.worker import work


@dataclass(frozen=True)
class Debug:
    """In process, through submitit's debug executor: breakpoints work, nothing is left behind a crash."""

    resources: Mapping[str, Any]
    kind: ClassVar[str] = "debug"

    def layers(self, command_line: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Resources below and above those of a sweep file: what one machine has goes above its plans."""
        return {}, {**self.resources, **command_line}

    def refuse(self, resources: Resources) -> None:
        """Raise UserError for more than one process."""
        if resources.ranks > 1:
            raise UserError("cluster=debug is one process; use cluster=local for resources.tasks above 1")

    def chunk(self) -> int:
        return 100_000

    def send(self, parcel: Parcel) -> None:
        """Run everything now. A run that fails is reported, and the next one starts."""
        import submitit

        os.environ.update(parcel.resources.variables())
        executor = submitit.AutoExecutor(folder=parcel.logs, cluster="debug")
        for path in parcel.point_files:
            error = executor.submit(work, str(path)).exception()
            if error is not None:
                print(f"{path.stem}: {type(error).__name__}: {error}")
