"""A whole sweep of 24 training runs with faults injected while it runs; afterwards nothing shows it."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from crucible.rundir import read_status
from crucible.sweeps.status import Standing, State, Survey
from tests.slurm.cluster import Cluster
from tests.sweeps.lab import (
    REPOSITORY,
    SMALL,
    Lab,
    assert_finished_once,
    assert_same_history,
    attempts,
    untimed,
    updates,
)

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


class Saboteur:
    """Does harm to runs that are under way, one fault after another."""

    def __init__(self, lab: Lab, cluster: Cluster, bug: Path) -> None:
        self.lab, self.cluster, self.bug = lab, cluster, bug
        self.rng = random.Random(7)
        self.hit: list[str] = []
        self.struck: set[str] = set()

    def victim(self, state: State = "running") -> Standing:
        """A run that can suffer now: waiting, or a few steps under way; none twice, it may be ending still."""

        def able(seen: Survey) -> list[Standing]:
            there = [s for s in seen.having(state) if s.job and s.point.run_id not in self.struck]
            return there if state == "pending" else [s for s in there if 3 < s.step < s.point.config["steps"] - 5]

        def found(seen: Survey) -> bool:
            if not seen.having("running", "pending", "preempted"):
                self.lab.act(action="retry")  # all have ended; those that failed are next
            return bool(able(seen))

        chosen = self.rng.choice(able(self.lab.wait(found, 180)))
        self.struck.add(chosen.point.run_id)
        return chosen

    def strike(self, fault: str) -> None:
        """One fault."""

        def run(*command: str) -> None:
            """scancel waits for a job that is just starting or ending, and may find it gone."""
            self.cluster.run(*command, timeout=120, check=False)

        match fault:
            case "usr2":
                run("scancel", "--signal=USR2", self.victim().job)
            case "requeue":
                run("scontrol", "requeue", self.victim().job)
            case "scancel":
                run("scancel", self.victim().job)
            case "scancel pending":
                run("scancel", self.victim("pending").job)
            case "sigkill":
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int((read_status(self.victim().point.run_dir) or {})["pid"]), signal.SIGKILL)
            case "controller":
                self.cluster.stop("slurmctld", signal.SIGKILL)
                self.cluster.start_controller()
            case "slurmd":  # its jobs live on; the node answers again before SLURM gives it up
                self.cluster.stop("slurmd.n1", signal.SIGKILL)
                time.sleep(2)
                self.cluster.start_node("n1")
            case "node down":
                run("scontrol", "update", "nodename=n2", "state=down", "reason=fault")
                time.sleep(8)  # its old jobs are gone before it takes new ones
                run("scontrol", "update", "nodename=n2", "state=resume")
            case "mend the bug":
                self.bug.unlink()
        self.hit.append(fault)


FAULTS = ("scancel pending", "usr2", "sigkill", "controller", "requeue", "scancel", "slurmd", "node down")
TINY_TRAINING = [  # the main job with a model of a few thousand random weights
    "algo=ce_gppo", "algo/filter=keep_all",  # it is never right, and the filter would leave nothing to train on
    "reward=length", "model.warmup=null", "model.hidden_size=32", "model.layers=1", "model.heads=2",
    "model.kv_heads=1", "model.intermediate_size=64", "batch.prompts_per_step=8", "batch.samples_per_prompt=4",
    "batch.updates_per_rollout=2", "evaluation.samples_per_prompt=1", "data.eval_prompts=8", "sampling.max_tokens=12",
    "checkpoint_every=3", "figures=false",
]  # fmt: skip


def test_24_trial_runs_end_as_if_undisturbed(lab: Lab, cluster: Cluster, tmp_path: Path) -> None:
    bug = tmp_path / "bug"
    bug.touch()
    lab.write(
        base=["step_seconds=0.25", "steps=80", "checkpoint_every=7", f"fault_file={bug}"],
        grid=["optim=constant,decay", "fault_raise_at=null,23"],
        seeds="range(1,7)",
        resources={**SMALL, "parallel": 4},
    )
    seen = disturb(lab, Saboteur(lab, cluster, bug), (*FAULTS, "mend the bug", "usr2", "sigkill"))
    assert_finished_once(seen, lab.folder)
    assert sum(attempts(s) > 1 for s in seen.standings) >= 8


def test_24_real_training_runs_end_as_if_undisturbed(lab: Lab, cluster: Cluster, tmp_path: Path) -> None:
    """The same sweep twice, on the same cluster: once left alone, once with faults."""
    both = []
    for name, faults in (("quiet", ()), ("disturbed", FAULTS)):
        place = Lab(tmp_path / name, cluster=lab.cluster, root=REPOSITORY)
        place.write(
            base=[*TINY_TRAINING, "steps=40", f"cache_dir={tmp_path / 'cache'}"],
            grid=["sampling.temperature=0.9,1", "entropy=none,bonus", "optim.lr=1e-3,3e-3"],
            seeds="1,2,3",
            resources={**SMALL, "memory_gb": 2, "parallel": 2},
        )
        both.append(disturb(place, Saboteur(place, cluster, tmp_path / "none"), faults))
    quiet, disturbed = both
    ends = {tuple(sorted(untimed(updates(s.point.run_dir)[-1]).items())) for s in quiet.standings}
    assert len(ends) == 24, "every point must train in its own way, or equality would prove nothing"
    for alone, standing in zip(quiet.standings, disturbed.standings, strict=True):
        assert alone.point.run_id == standing.point.run_id
        assert attempts(alone) == 1
        assert_same_history(standing, updates(alone.point.run_dir))
    assert sum(attempts(s) > 1 for s in disturbed.standings) >= 6


def disturb(lab: Lab, saboteur: Saboteur, faults: Sequence[str]) -> Survey:
    """Send a sweep of 24, injure it, retry until all is finished."""
    lab.act()
    assert "sent 24 runs" in lab.said[-1]
    for fault in faults:
        saboteur.strike(fault)
    rounds = 0
    while True:
        seen = lab.wait(lambda s: not s.having("running", "pending", "preempted", "unknown"), 1500)
        if len(seen.having("finished")) == 24:
            break
        assert rounds < 5, lab.said[-1]
        lab.act(action="retry")
        rounds += 1
    assert len(list(lab.runs.glob("*/seed*"))) == 24
    hurt = sum(attempts(s) > 1 for s in seen.standings)
    print(f"\n{len(saboteur.hit)} faults, {hurt} of 24 runs disturbed, {rounds} retries\n{lab.said[-1]}")
    return seen
