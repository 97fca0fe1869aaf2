"""A whole sweep of 24 trial runs with faults injected while it runs; afterwards nothing shows it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from crucible.sweeps.status import Survey
from tests.slurm.cluster import Cluster
from tests.slurm.saboteur import FAULTS, Saboteur
from tests.slurm.table import show
from tests.sweeps.lab import SMALL, Lab, assert_finished_once, attempts
from tests.sweeps.trial.trial_gate import GATE, Gate

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


def disturb(lab: Lab, saboteur: Saboteur, faults: Sequence[str], title: str) -> Survey:
    """Send a sweep of 24, injure it, retry until all is finished."""
    lab.act()
    assert "sent 24 runs" in lab.said[-1]
    for fault in faults:
        saboteur.strike(fault)
    saboteur.gate.open()
    rounds = 0
    while True:
        saboteur.cluster.mend()
        seen = lab.wait(lambda s: not s.having("running", "pending", "preempted", "unknown"), 900)
        if len(seen.having("finished")) == 24:
            break
        assert rounds < 5, lab.said[-1]
        lab.act(action="retry")
        rounds += 1
    assert len(list(lab.runs.glob("*/seed*"))) == 24
    saboteur.assert_each_fault_hit(faults)
    again = sum(attempts(s) > 1 for s in seen.standings)
    summary = f"{len(saboteur.blows)} faults, {again} of 24 runs begun more than once, action=retry {rounds} times"
    show(title, f"{saboteur.table(seen)}\n\n{summary}\n\n{lab.said[-1]}")
    return seen


@pytest.fixture
def saboteur(lab: Lab, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Saboteur:
    monkeypatch.setenv(GATE, str(tmp_path / "gate"))
    return Saboteur(lab, cluster, Gate(tmp_path / "gate"), tmp_path / "outage")


def test_24_trial_runs_end_as_if_undisturbed(lab: Lab, saboteur: Saboteur, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.write(
        base=["steps=30", "checkpoint_every=7", "fault_raise_at=13", f"fault_file={saboteur.outage}"],
        grid=["optim=constant,decay", "batch_size=4,8"],
        seeds="range(1,7)",
        resources={**SMALL, "parallel": 4},
    )
    seen = disturb(lab, saboteur, FAULTS, "24 trial runs under faults")
    monkeypatch.delenv(GATE)
    assert_finished_once(seen, lab.folder)
