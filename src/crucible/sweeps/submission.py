"""Send runs to a cluster: grouped by resources, in arrays no longer than the cluster allows."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar, Protocol

from crucible.errors import UserError
from crucible.rundir.code import changed_files, code_version, source_hashes
from crucible.rundir.provenance import read_provenance
from crucible.sweeps.expansion import Point
from crucible.sweeps.ledger import Batch, Ledger, Parcel, new_batch
from crucible.sweeps.resources import Resources
from crucible.sweeps.snapshot import Snapshot, take


class Cluster(Protocol):
    """Where runs go: crucible.sweeps.slurm.Slurm, local.Local or debug.Debug."""

    kind: ClassVar[str]

    def layers(self, command_line: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]: ...

    def refuse(self, resources: Resources) -> None: ...

    def chunk(self) -> int: ...

    def send(self, parcel: Parcel) -> None: ...


@dataclass(frozen=True)
class Order:
    """How to send."""

    sweep: str
    allow_code_change: bool = False


def send(points: Sequence[Point], cluster: Cluster, ledger: Ledger, order: Order) -> list[Batch]:
    """Submit the points and return the batches. Call with the ledger locked.

    Everything that can be refused is asked about before the first batch goes out. Raises UserError.
    """
    groups = _groups(points)
    for point in points:
        refuse_other_ranks(point, cluster.kind)
    refuse_mixed_code(points, order.allow_code_change)
    snapshot = take(ledger)
    for resources, _ in groups:
        cluster.refuse(resources)
    limit = cluster.chunk()
    sent: list[Batch] = []
    for resources, members in groups:
        for start in range(0, len(members), limit):
            part = members[start : start + limit]
            batch = new_batch(cluster.kind, order.sweep, [p.run_id for p in part], asdict(resources))
            files = [_write_point(p, ledger, snapshot, order) for p in part]
            # before the queue knows of it: a launcher killed in between leaves dead runs, never unknown jobs
            ledger.write_batch(batch)
            try:
                cluster.send(Parcel(batch, files, resources, ledger.logs(batch.batch), snapshot.folder))
            except UserError as error:
                ledger.drop_batch(batch)
                before = f" ({sum(len(b.runs) for b in sent)} runs were sent before)" if sent else "; nothing submitted"
                raise UserError(f"{error}{before}") from None
            sent.append(batch)
    return sent


def _groups(points: Sequence[Point]) -> list[tuple[Resources, list[Point]]]:
    ordered = sorted(points, key=lambda point: repr(point.resources))
    return [(resources, list(members)) for resources, members in groupby(ordered, key=lambda p: p.resources)]


def refuse_other_ranks(point: Point, kind: str) -> None:
    """Raise UserError when a run wants another number of processes than its job starts. (cluster=debug starts none.)"""
    trainer = point.config.get("trainer")
    if not isinstance(trainer, Mapping) or kind == "debug":
        return
    wanted = (trainer.get("nodes", 1), trainer.get("devices", 1))
    given = (point.resources.nodes, point.resources.tasks)
    if wanted != given:
        raise UserError(
            f"run {point.run_id}: trainer.nodes={wanted[0]} x trainer.devices={wanted[1]} processes, and its job would "
            f"start {given[0]} x {given[1]}; set resources.nodes={wanted[0]} and resources.tasks={wanted[1]}; "
            "nothing submitted"
        )


def refuse_mixed_code(points: Sequence[Point], allowed: bool) -> None:
    """Raise UserError when an unfinished run was begun by other code, unless that is allowed."""
    if allowed:
        return
    here = source_hashes()
    version = code_version(here)
    for point in points:
        before = read_provenance(point.run_dir).get("code")
        if isinstance(before, dict) and before and code_version(before) != version:
            names = changed_files(before, here)
            raise UserError(
                f"run {point.run_id} was begun by other code (changed since: {', '.join(names[:3])}"
                f"{', ...' if len(names) > 3 else ''}); allow_code_change=true goes on with it, "
                "strict_code=true starts a new run for this code; nothing submitted"
            )


def _write_point(point: Point, ledger: Ledger, snapshot: Snapshot, order: Order) -> Path:
    config: dict[str, Any] = {
        **point.config,
        "run_id": point.run_id,
        "experiment": point.run_dir.parent.name,
        "runs_dir": str(point.run_dir.parent.parent),
        "dry_run": False,
        "resume": "force" if order.allow_code_change else "auto",
    }
    with contextlib.suppress(FileNotFoundError):
        os.unlink(ledger.failure_file(point.run_id))
    return ledger.write_point(
        point.run_id,
        {
            "run_id": point.run_id,
            "run_dir": str(point.run_dir),
            "sweep": order.sweep,
            "overrides": list(point.overrides),
            "config": {key: value for key, value in config.items() if key in point.config or key == "run_id"},
            "resources": asdict(point.resources),
            "max_requeues": point.resources.max_requeues,
            "code_file": str(snapshot.record),
            "failure_file": str(ledger.failure_file(point.run_id)),
            "allow_code_change": order.allow_code_change,
        },
    )
