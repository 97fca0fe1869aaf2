"""Runs of a Weights & Biases project in the same frames.

W&B holds a mirror (crucible.loggers.wandb): numbers only, no right answers by problem. So curves, avg@k and its
intervals are there; tests over problems are not. The run directory stays the source of truth.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from crucible.analysis.flat_config import flatten
from crucible.analysis.rows import Row, is_number
from crucible.analysis.runs import IDENTITY, Run
from crucible.errors import UserError
from crucible.rundir.status import one_line

STATES = {"finished": "finished", "running": "running", "preempted": "preempted", "crashed": "dead",
          "failed": "failed", "killed": "failed"}  # fmt: skip


class WandbRun(Run):
    """One run of a project. Its history is fetched once, when it is first asked for."""

    _source: Any = None
    _history: list[Row] | None = None

    def rows(self, kind: str, names: Collection[str] | None = None) -> list[Row]:
        if self._history is None:
            self._history = _rows(self._source.scan_history(), self.facts["steps"])
        return [row for row in self._history if row["kind"] == kind]


def wandb_runs(project: str, api: Any = None) -> list[WandbRun]:
    """The runs of "entity/project", by their W&B name. `api` is a wandb.Api; one is made with the user's login.

    Errors: UserError without the package, without a project of that name, and where W&B does not answer.
    """
    if api is None:
        try:
            import wandb
        except ImportError as error:
            raise UserError(f"wandb:{project} needs the package wandb: pip install wandb") from error
    try:
        api = wandb.Api() if api is None else api
        found = [_run(project, source) for source in api.runs(project)]
    except Exception as error:  # the client raises its own and its HTTP library's errors
        raise UserError(f"W&B project {project} cannot be read: {one_line(error)}") from error
    if not found:
        raise UserError(f"W&B project {project} has no runs")
    return found


def _run(project: str, source: Any) -> WandbRun:
    experiment, _, run_id = str(source.name).rpartition("/")
    config = flatten(dict(source.config))
    known = {"experiment": experiment or project, "run_id": run_id, "steps": config.get("steps"),
             "state": STATES.get(str(source.state), "unknown"), "step": source.summary.get("global_step"),
             "started": getattr(source, "created_at", None), "commit": getattr(source, "commit", None)}  # fmt: skip
    facts = {name: known.get(name) for name in IDENTITY}
    run = WandbRun(f"wandb:{project}/{source.id}", f"{experiment or project}/{run_id}", facts, config)
    run._source = source
    return run


def _rows(history: Any, steps: Any) -> list[Row]:
    """Metrics rows again: a line with eval/... is an evaluation, before training at step 0, after it at `steps`."""
    rows: list[Row] = []
    for line in history:
        step = line.get("global_step")
        if not is_number(step):
            continue
        values = {k: v for k, v in line.items() if is_number(v) and not k.startswith("_") and k != "global_step"}
        if any(name.startswith("eval/") for name in values):
            phase = "before" if step == 0 else "after" if step == steps else "during"
            rows.append({"kind": "eval", "step": int(step), "phase": phase, **values})
        else:
            rows.append({"kind": "update", "step": int(step), **values})
    return rows
