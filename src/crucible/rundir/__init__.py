"""Run directories: one run, one directory, and no other channel between training and analysis.

config.yaml                resolved, re-runnable
provenance.json            command, git commit and dirty diff, package versions, host, device, seeds
metrics.001.jsonl ...      one line an optimiser step or evaluation; one file an attempt
samples/  checkpoints/  policy/  figures/
status.json  run.lock  heartbeat.json (crucible.modules.watchdog)
"""

from __future__ import annotations

from crucible.rundir.config_file import read_config
from crucible.rundir.directory import RunDir, Superseded
from crucible.rundir.metrics import read_metrics
from crucible.rundir.provenance import read_provenance
from crucible.rundir.samples import read_samples
from crucible.rundir.status import read_status

__all__ = [
    "RunDir",
    "Superseded",
    "read_config",
    "read_metrics",
    "read_provenance",
    "read_samples",
    "read_status",
]
