"""`python sweep.py`: expand a sweep, look at where its runs stand, and act."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from rich.console import Console
from rich.live import Live

from crucible.config.check import check
from crucible.config.identity import run_id
from crucible.config.rules import enforce
from crucible.errors import UserError
from crucible.rundir.code import code_version
from crucible.sweeps import local, slurm
from crucible.sweeps.composition import open_composer
from crucible.sweeps.definition import load
from crucible.sweeps.expansion import Point, Rules, expand, place
from crucible.sweeps.ledger import Ledger
from crucible.sweeps.status import State, Survey, survey
from crucible.sweeps.submission import Cluster, Order, send
from crucible.sweeps.table import status_table, summary

ROOT = "crucible.sweeps.program.sweep"
UNSENT: tuple[State, ...] = ("new", "cancelled")  # what action=submit sends
BROKEN: tuple[State, ...] = ("failed", "dead")  # what action=retry sends
ACTIVE: tuple[State, ...] = ("pending", "running", "preempted")  # what action=cancel ends


def sweep(
    *,
    sweep: str,
    cluster: Cluster,
    action: Literal["submit", "status", "retry", "cancel"] = "submit",
    overrides: Sequence[str] = (),
    resources: Mapping[str, Any] | None = None,
    sweeps_dir: str = "sweeps",
    root: str | None = None,
    runs_dir: str = "runs",
    dry_run: bool = False,
    allow_code_change: bool = False,
    strict_code: bool = False,
    metric: str = "reward/mean",
    rows: Annotated[int, ">= 0"] = 40,
    watch: Annotated[float, ">= 0"] = 0.0,
    console: Console | None = None,
) -> Survey:
    """Do one action on one sweep and return how its runs stood before it. The keywords are conf/sweep.yaml's."""
    console = console or make_console()
    root = root or "."
    home = Path(runs_dir).resolve()
    if home.exists() and not home.is_dir():
        raise UserError(f"runs_dir={runs_dir}: it is a file, not a folder")
    ledger = Ledger(home)
    points = _points(sweep, cluster, overrides, resources or {}, sweeps_dir, root, home, strict_code)
    if action == "status":
        return _status(sweep, points, ledger, console, metric, rows, watch)
    if dry_run:
        seen = survey(points, ledger)
        console.print(status_table(sweep, seen, metric=metric, rows=rows))
        _plan(_chosen(seen, action), cluster, console, action)
        return seen
    with ledger.lock():
        seen = survey(points, ledger)
        if seen.silence:
            raise UserError(f"{seen.silence}; nothing {'cancelled' if action == 'cancel' else 'submitted'}")
        chosen = _chosen(seen, action)
        if action == "cancel":
            _cancel(seen, ledger)
            console.print(f"{sweep}: cancelled {len(chosen)} runs; each saves first ({summary(seen)} before)")
        else:
            if action == "retry":
                slurm.scancel([s.job for s in seen.having(*BROKEN) if s.job])  # held for ever: replaced by a new job
            batches = send(chosen, cluster, ledger, Order(sweep, allow_code_change)) if chosen else []
            console.print(
                f"{sweep}: sent {len(chosen)} runs in {len(batches)} {cluster.kind} batches ({summary(seen)} before)"
            )
            _hints(seen, action, sweep, console)
    return seen


def make_console() -> Console:
    """The terminal; 160 columns where the output goes to a file or a pipe."""
    console = Console(soft_wrap=False, highlight=False)
    return console if console.is_terminal else Console(width=160, highlight=False)


def _points(
    name: str,
    cluster: Cluster,
    overrides: Sequence[str],
    resources: Mapping[str, Any],
    sweeps_dir: str,
    root: str,
    home: Path,
    strict_code: bool,
) -> list[Point]:
    definition = load(name, Path(root) / sweeps_dir, overrides)
    code = code_version() if strict_code else None
    with open_composer(Path(root).resolve()) as composer:
        points = expand(definition, composer, RULES, layers=cluster.layers(resources), code=code)
    return place(points, home, definition.experiment)


RULES = Rules(
    check=lambda composed: check(composed.config, composed.origin),
    enforce=lambda composed: enforce(composed.config, composed.origin),
    run_id=run_id,
)


def _chosen(seen: Survey, action: str) -> list[Point]:
    states = {"submit": UNSENT, "retry": BROKEN, "cancel": ACTIVE}[action]
    return [standing.point for standing in seen.having(*states)]


def _status(
    name: str, points: Sequence[Point], ledger: Ledger, console: Console, metric: str, rows: int, watch: float
) -> Survey:
    seen = survey(points, ledger, metric)
    if watch > 0:
        with Live(status_table(name, seen, metric=metric, rows=rows), console=console, auto_refresh=False) as live:
            while seen.having(*ACTIVE):
                time.sleep(watch)
                seen = survey(points, ledger, metric)
                live.update(status_table(name, seen, metric=metric, rows=rows), refresh=True)
    else:
        console.print(status_table(name, seen, metric=metric, rows=rows))
    if seen.silence:
        console.print(f"{seen.silence}; runs in its queue are shown as unknown")
    return seen


def _plan(chosen: Sequence[Point], cluster: Cluster, console: Console, action: str) -> None:
    """dry_run=true: what the action would do, and what it could cost."""
    console.print(f"action={action} would {'cancel' if action == 'cancel' else 'send'} {len(chosen)} of them")
    if action == "cancel":
        return
    for resources, count in Counter(point.resources for point in chosen).items():
        console.print(
            f"  {count} runs of {resources.nodes} node(s), {resources.gpus} GPU(s), {resources.cpus} CPU(s) a task, "
            f"{resources.memory_gb:g} GB, up to {resources.hours:g} h: "
            f"at most {count * resources.gpu_hours:g} GPU hours"
        )
    total = sum(point.resources.gpu_hours for point in chosen)
    console.print(f"  at most {total:g} GPU hours on cluster {cluster.kind}, if no run is restarted")


def _cancel(seen: Survey, ledger: Ledger) -> None:
    """Note the wish first, so that a run ended by it is "cancelled" and not "dead"; then tell the queues."""
    batches = {batch.batch: batch for batch in ledger.batches()}
    jobs: dict[str, list[str]] = {"slurm": [], "local": []}
    for standing in seen.having(*ACTIVE):
        if standing.element is None:
            continue  # started by hand
        batch = batches[standing.element.batch]
        batch.cancelled.append(standing.point.run_id)
        if standing.job:
            jobs[batch.cluster].append(standing.job)
    for name in {s.element.batch for s in seen.having(*ACTIVE) if s.element}:
        ledger.write_batch(batches[name])
    slurm.scancel(jobs["slurm"])
    local.stop(jobs["local"])


def _hints(seen: Survey, action: str, name: str, console: Console) -> None:
    if action == "submit" and (broken := seen.having(*BROKEN)):
        console.print(f"{len(broken)} failed or dead runs were left alone: python sweep.py sweep={name} action=retry")
    console.print(f"watch them: python sweep.py sweep={name} action=status watch=5")
