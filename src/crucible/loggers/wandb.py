"""Weights & Biases as a guarded mirror of the metrics files.

Why guarded: a SIGTERM to the process group also kills W&B's background process, and its death then raises inside
`run.log`; offline, the last 15 s of rows may be lost on a kill. So no call may end a run, and no analysis
reads W&B.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import re
import threading
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from crucible.errors import UserError, nearest
from crucible.rundir import RunDir
from crucible.rundir.atomic import write_json

FILE = "wandb.json"
Mode = Literal["online", "offline"]
NOT_METRICS = ("kind", "phase")


class WandbLogger:
    """One W&B run for one run directory, whatever the number of attempts: its id is kept in wandb.json.

    The first call that fails, or takes longer than `timeout_s`, is reported once and ends the mirroring.
    W&B's own step starts from 0 in every offline attempt, so rows carry `global_step` (the rollout step)
    and `update` (optimiser steps), and charts use the former as their x axis.

    Errors: UserError for an unknown mode or when the package is not installed (asked for, so needed).
    """

    def __init__(
        self,
        run_dir: RunDir | Path,
        config: Mapping[str, Any],
        report: Callable[[str], None] = print,
        *,
        project: str = "crucible",
        entity: str | None = None,
        mode: Mode = "online",
        tags: list[str] | None = None,
        timeout_s: Annotated[float, "> 0"] = 30.0,
    ):
        if mode not in get_args(Mode):
            raise UserError(f"logger.mode={mode}: online or offline{nearest(str(mode), get_args(Mode))}")
        self._path = Path(run_dir.path if isinstance(run_dir, RunDir) else run_dir)
        self._report, self._timeout_s = report, timeout_s
        self.id = ""
        try:
            self._wandb = importlib.import_module("wandb")
        except ImportError as error:
            raise UserError("logger=wandb needs the package wandb: pip install wandb, or use logger=none") from error
        self._run = self._guarded("start", lambda: self._start(config, project, entity, mode, tags))

    @property
    def active(self) -> bool:
        """False once a call has failed, or the run is over."""
        return self._run is not None

    def log(self, row: Mapping[str, Any], step: int | None = None) -> None:
        """Mirror the numbers of a metrics row; NaN and infinities stay in the files alone."""
        if self._run is None:
            return
        values = {k: float(v) for k, v in row.items() if k not in NOT_METRICS and _finite(v)}
        values["global_step"] = row.get("step", 0) if step is None else step
        values.pop("step", None)
        run = self._run
        self._guarded("log", lambda: run.log(values))

    def finish(self, state: str) -> None:
        """Close the W&B run; anything but "finished" leaves it marked as failed there, free to be resumed."""
        if self._run is None:
            return
        run, self._run = self._run, None
        self._guarded("finish", lambda: run.finish(exit_code=0 if state == "finished" else 1))

    def _start(
        self, config: Mapping[str, Any], project: str, entity: str | None, mode: Mode, tags: list[str] | None
    ) -> Any:
        if mode == "online" and not _has_key(self._wandb):
            raise RuntimeError("no W&B key (run `wandb login`, or set WANDB_API_KEY); or use logger.mode=offline")
        self.id = self._kept_id(project, entity)
        settings = self._wandb.Settings(
            init_timeout=0.9 * self._timeout_s,  # its own message comes before ours
            console="off",  # the progress display stays as it is
            disable_git=True,  # provenance.json has a redacted copy of what matters
            save_code=False,
            silent=True,
        )
        run = self._wandb.init(
            project=project,
            entity=entity,
            mode=mode,
            id=self.id,
            resume="allow",
            name=f"{self._path.parent.name}/{self._path.name}",
            group=self._path.parent.name,
            tags=list(tags or ()),
            dir=str(self._path),
            config=dict(config),
            settings=settings,
        )
        run.define_metric("*", step_metric="global_step")
        return run

    def _kept_id(self, project: str, entity: str | None) -> str:
        """The id in wandb.json, or a new one that is stored there before W&B hears of it."""
        file = self._path / FILE
        try:
            kept = json.loads(file.read_bytes())["id"]
        except (OSError, ValueError, KeyError, TypeError):
            kept = None
        if isinstance(kept, str) and kept:
            return kept
        stem = re.sub(r"[^A-Za-z0-9_-]", "-", self._path.name)[:48]
        fresh = f"{stem}-{uuid.uuid4().hex[:8]}"
        write_json(file, {"id": fresh, "project": project, "entity": entity})
        return fresh

    def _guarded(self, what: str, call: Callable[[], Any]) -> Any:
        """The result of `call`, or None if it failed: W&B may raise, and may also hang on a dead network."""
        results: list[Any] = []
        failures: list[BaseException] = []

        def attempt() -> None:
            try:
                results.append(call())
            except BaseException as error:  # also a SystemExit out of its command-line parts; reported below
                failures.append(error)

        worker = threading.Thread(target=attempt, name=f"wandb-{what}", daemon=True)
        worker.start()
        worker.join(self._timeout_s)
        if results:
            return results[0]
        failure = failures[0] if failures else TimeoutError(f"no answer within {self._timeout_s:g} s")
        self._run = None
        reason = " ".join(str(failure).split()) or type(failure).__name__
        self._report(f"W&B is off for the rest of this run ({what}: {reason}); the run's files have everything")
        return None


def _has_key(wandb: Any) -> bool:
    """Without a key `wandb.init` would ask for one at the terminal and wait."""
    return bool(os.environ.get("WANDB_API_KEY") or wandb.login(prompt=False))


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
