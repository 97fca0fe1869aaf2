"""A run directory as the ranks see it that do not own it: they read where to go on, and write nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from crucible.errors import UserError
from crucible.ranks import Ranks
from crucible.rundir.directory import RunDir


class Bystander:
    """Stands in for RunDir on every rank but the main one."""

    def __init__(self, path: Path, *, attempt: int, finished: bool, checkpoint: Path | None):
        self.path, self.attempt, self.finished = path, attempt, finished
        self._checkpoint = checkpoint

    def latest_checkpoint(self) -> Path | None:
        return self._checkpoint

    def save_checkpoint(self, step: int, write: Callable[[Path], None], **_: Any) -> None:
        """`write` is collective: the strategy lets the main process alone write."""
        write(self.path / "checkpoints" / "never-written")

    def _nothing(self, *_: Any, **__: Any) -> None:
        """The main process does it."""

    def __enter__(self) -> Bystander:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    begin = write_metrics = write_samples = write_status = heartbeat = write_policy = close = discard = _nothing


def open_together(ranks: Ranks, path: Path, config: dict[str, Any], **options: Any) -> RunDir | Bystander:
    """RunDir.open on the main process; a Bystander elsewhere. What is refused is refused on every rank."""
    run_dir, refusal = None, None
    if ranks.main:
        try:
            run_dir = RunDir.open(path, config, **options)
        except UserError as error:
            if ranks.world == 1:
                raise
            refusal = str(error)
    if ranks.world == 1:
        assert run_dir is not None
        return run_dir
    facts = None
    if run_dir is not None:
        checkpoint = None if run_dir.finished else run_dir.latest_checkpoint()
        facts = {"attempt": run_dir.attempt, "finished": run_dir.finished, "checkpoint": checkpoint}
    refusal, facts = ranks.from_main((refusal, facts))
    if refusal is not None:
        raise UserError(refusal)
    return run_dir if run_dir is not None else Bystander(path, **facts)
