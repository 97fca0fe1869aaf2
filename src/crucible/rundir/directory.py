"""A run directory as the program that fills it sees it; its files are the business of the modules around."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from crucible.errors import UserError, nearest
from crucible.rundir import checkpoints, config_file, existing, provenance, samples, status
from crucible.rundir.atomic import clear_leftovers, explained, fsync_folder, make_folder, replace_folder
from crucible.rundir.jsonl import JsonlWriter, repair
from crucible.rundir.lock import RunLock
from crucible.rundir.metrics import ATTEMPT, attempt_files, metrics_file
from crucible.rundir.secrets import refuse_secrets

Resume = Literal["auto", "never", "force"]
HEARTBEAT_S = 10.0


class Superseded(UserError):
    """A newer attempt owns the run: this process must stop, and has written nothing shared since."""


class RunDir:
    """An open run directory. One process (rank 0) holds it, under one attempt number, until `close`.

    `finished` is True for a run that had finished before; then nothing is claimed and nothing can be written.
    """

    def __init__(
        self,
        path: Path,
        *,
        attempt: int,
        lock: RunLock | None,
        metrics: JsonlWriter | None,
        keep_checkpoints: int,
        report: Callable[[str], None],
    ):
        self.path, self.attempt, self.keep_checkpoints = path, attempt, keep_checkpoints
        self.checkpoints, self.figures, self.policy = (
            path / checkpoints.FOLDER,
            path / "figures",
            path / "policy",
        )
        self._lock, self._metrics, self._report = lock, metrics, report
        self._beat = 0.0

    @classmethod
    def open(
        cls,
        path: Path | str,
        config: Mapping[str, Any],
        *,
        resume: Resume = "auto",
        takeover: bool = False,
        keep_checkpoints: int = 2,
        steps: int = 0,
        command: str | None = None,
        report: Callable[[str], None] = print,
    ) -> RunDir:
        """Create the run at `path`, or go on with the one that is there.

        resume: "auto" goes on with an unfinished run of the same config and code; "never" refuses an
        existing run; "force" goes on whatever differs, also with a finished run.
        takeover: a scheduler's restart takes the run from a process that may still live elsewhere.
        Errors: UserError, one line, with nothing written, for: a path that cannot be written, is no run,
        belongs to another config or code version, or is in use; a credential in the config.
        """
        path = Path(path)
        if resume not in get_args(Resume):
            raise UserError(f"resume={resume}: one of auto, never, force{nearest(str(resume), get_args(Resume))}")
        if keep_checkpoints < 1:
            raise UserError(f"keep_checkpoints={keep_checkpoints}: must be at least 1")
        refuse_secrets(config)
        command = provenance.command_line() if command is None else command
        with explained("cannot use", path):
            existing.refuse_stranger(path)
            made = not existing.is_run(path) and make_folder(
                path,
                lambda new: config_file.write_config(new / config_file.FILE, config, command=command, home=path),
            )
            if not made:
                if resume == "never":
                    existing.refuse_restart(path)
                if resume == "auto":
                    existing.refuse_other_config(path, config)
                    if (status.read_status(path) or {}).get("state") == "finished":
                        return cls(path, attempt=existing.last_attempt(path), lock=None, metrics=None,
                                   keep_checkpoints=keep_checkpoints, report=report)  # fmt: skip
                    existing.refuse_other_code(path)
            lock = RunLock.acquire(path, takeover=takeover, report=report)
            run = None
            try:
                if not made:
                    clear_leftovers(path)
                    existing.say_how_it_stands(path, report)
                run = cls._claim(path, lock, keep_checkpoints, report)
                if not made and existing.config_differences(path, config):
                    run._replace_config(config, command)
                facts = provenance.collect(seeds=provenance.seeds(config), command=command)
                provenance.write_provenance(path, run.attempt, facts)
                run.write_status("running", steps=steps)
            except BaseException:
                if made:  # e.g. a disk without room for more than the config
                    shutil.rmtree(path, ignore_errors=True)
                if run is not None:
                    run.close()
                lock.release()
                raise
        return run

    @classmethod
    def _claim(cls, path: Path, lock: RunLock, keep: int, report: Callable[[str], None]) -> RunDir:
        """The next attempt number belongs to whoever creates its metrics file. Those of earlier ones end whole."""
        for file in attempt_files(path).values():
            if cut := repair(file):
                report(f"{file.name}: {cut} bytes of a row that was never finished are cut off")
        attempt = existing.last_attempt(path) + 1
        while True:
            try:
                metrics = JsonlWriter(metrics_file(path, attempt), new=True)
                break
            except FileExistsError:
                attempt += 1
        metrics.write({"kind": ATTEMPT, "attempt": attempt, "started": status.now()})
        fsync_folder(path)
        return cls(path, attempt=attempt, lock=lock, metrics=metrics, keep_checkpoints=keep, report=report)

    def _replace_config(self, config: Mapping[str, Any], command: str) -> None:
        """resume=force under another config: the earlier one is kept as config.<attempt before>.yaml."""
        stored = self.path / config_file.FILE
        old = config_file.read_config(stored)
        config_file.write_config(
            self.path / f"config.{self.attempt - 1:03d}.yaml",
            old,
            command=f"the attempts before {self.attempt}",
        )
        config_file.write_config(stored, config, command=command)

    # -- who owns the run ---------------------------------------------------------------------

    @property
    def finished(self) -> bool:
        return self._metrics is None and self._lock is None

    def owns(self) -> bool:
        """Is this attempt still the newest? A training loop that finds it is not must stop. Cheap enough for
        every step."""
        return (
            self._lock is not None
            and metrics_file(self.path, self.attempt).exists()
            and not metrics_file(self.path, self.attempt + 1).exists()
            and self._lock.held()
        )

    def _require_ownership(self) -> None:
        if self.finished:
            raise UserError(f"{self.path} is finished or closed; nothing more is written to it")
        if not self.owns():
            raise Superseded(
                f"attempt {self.attempt} of {self.path} no longer owns the run (a newer attempt took it "
                "over, or the directory was removed); this process stops"
            )

    # -- what a run writes --------------------------------------------------------------------

    def begin(self, step: int) -> None:
        """Declare after which step this attempt goes on (0: from the start); later steps of earlier attempts
        are then no part of the run's history any more."""
        self.write_metrics({"kind": ATTEMPT, "attempt": self.attempt, "from_step": int(step)})

    def write_metrics(self, row: dict[str, Any]) -> None:
        """Append one row; it has reached the operating system on return."""
        if self._metrics is None:
            raise UserError(f"{self.path} is finished or closed; nothing more is written to it")
        self._metrics.write(row)

    def write_samples(self, step: int, rows: Iterable[dict[str, Any]]) -> None:
        """Store prompts, completions and scores of a step (see `samples`)."""
        self._require_ownership()
        samples.write_samples(self.path, step, rows)

    def write_status(
        self, state: status.State, *, step: int | None = None, error: str | None = None, **more: Any
    ) -> None:
        """Replace status.json; `more` (e.g. steps=100) stays there until it is written anew."""
        self._require_ownership()
        status.write_status(self.path, state, attempt=self.attempt, step=step, error=error, **more)
        self._beat = time.monotonic()

    def heartbeat(self, step: int | None = None) -> None:
        """Say that the run lives, at most every 10 s; call it as often as convenient."""
        if time.monotonic() - self._beat >= HEARTBEAT_S:
            self.write_status("running", step=step)

    def write_policy(self, save: Callable[[Path], None]) -> Path:
        """Put the folder that `save(path)` writes in place as policy/, whole or not at all."""
        self._require_ownership()
        replace_folder(self.policy, save)
        return self.policy

    # -- checkpoints --------------------------------------------------------------------------

    def save_checkpoint(
        self, step: int, write: Callable[[Path], None], *, check: Callable[[Path], None] | None = None
    ) -> Path:
        """Store what `write(path)` writes as the checkpoint after `step`; `check(path)` may refuse it."""
        self._require_ownership()
        if self._metrics is not None:
            self._metrics.sync()  # a checkpoint must never be newer than the metrics that lead to it
        path = checkpoints.save(self.checkpoints, step, write, keep=self.keep_checkpoints, check=check)
        self.write_status("running", step=step, checkpoint=step)
        return path

    def latest_checkpoint(self) -> Path | None:
        """The newest whole checkpoint, None before the first one.

        Errors: UserError if checkpoints were stored and none is whole: starting over would be no resume.
        """
        path = checkpoints.latest(self.checkpoints, self._report)
        if path is not None:
            checkpoints.finish_pruning(self.checkpoints, path, self.keep_checkpoints)
        saved = (status.read_status(self.path) or {}).get("checkpoint")
        if path is None and saved:
            raise UserError(
                f"{self.path}: a checkpoint was stored after step {saved}, and {self.checkpoints} has none; "
                "put it back, or start over under another run_id"
            )
        return path

    def checkpoint_at(self, step: int) -> Path:
        """The checkpoint after `step`. Errors: UserError when missing or damaged."""
        return checkpoints.at(self.checkpoints, step)

    # -- end ----------------------------------------------------------------------------------

    def close(self) -> None:
        """Let go of the run. Idempotent; the state is what `write_status` last said."""
        if self._metrics is not None:
            self._metrics.close()
            self._metrics = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def discard(self) -> None:
        """Remove a closed run that has done nothing, and its experiment's folder where nothing else is in it."""
        shutil.rmtree(self.path)
        with contextlib.suppress(OSError):  # it holds other runs
            self.path.parent.rmdir()

    def __enter__(self) -> RunDir:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
