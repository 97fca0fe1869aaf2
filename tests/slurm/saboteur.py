"""Harm for runs that are under way, one fault after another, and proof that each fault hit."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from crucible.rundir import read_status
from crucible.sweeps.status import Standing, Survey
from tests.slurm.cluster import Cluster
from tests.slurm.table import markdown
from tests.sweeps.lab import Lab, attempts
from tests.sweeps.trial.trial_gate import Gate

WORDS = {
    "scancel pending": "scancel of a waiting array element",
    "usr2": "USR2 (time limit, preemption)",
    "sigkill": "SIGKILL of the process",
    "controller": "slurmctld killed and restarted",
    "requeue": "scontrol requeue",
    "scancel": "scancel of a running job",
    "slurmd": "slurmd killed and restarted under its jobs",
    "outage": "exception in the run",
    "node down": "node set down",
}
FAULTS = tuple(WORDS)
SURVIVED = ("controller", "slurmd")  # the victim must not notice


@dataclass(frozen=True)
class Blow:
    """One fault: its victim, how far that was, what `status` said next."""

    fault: str
    victim: Standing
    seen: str


class Saboteur:
    """Every victim is used once, and waits in the middle of a step (or in the queue) for what will hit it."""

    def __init__(self, lab: Lab, cluster: Cluster, gate: Gate, outage: Path) -> None:
        self.lab, self.cluster, self.gate, self.outage = lab, cluster, gate, outage
        self.rng = random.Random(7)
        self.blows: list[Blow] = []
        self.struck: set[str] = set()

    def strike(self, fault: str) -> None:
        victim = self._victim("pending" if fault == "scancel pending" else "running")
        self._harm(fault, victim)
        self.gate.let(victim.point.run_id)
        self.blows.append(Blow(fault, victim, self._seen(fault, victim)))
        self.outage.unlink(missing_ok=True)
        self.cluster.mend()

    def _victim(self, state: str) -> Standing:
        """Steps behind it and steps before it. When a waiting one is wanted, the running ones are at the gate."""

        def at_gate(seen: Survey) -> list[Standing]:
            there = [s for s in seen.having("running") if s.point.run_id not in self.struck]
            return [s for s in there if s.job and 0 < s.step < s.point.config["steps"]]

        def waiting(seen: Survey) -> list[Standing]:
            return seen.having("pending")[-1:] if len(at_gate(seen)) == len(seen.having("running")) > 0 else []

        able = at_gate if state == "running" else waiting
        chosen = self.rng.choice(able(self.lab.wait(lambda seen: bool(able(seen)), 600)))
        self.struck.add(chosen.point.run_id)
        return chosen

    def _harm(self, fault: str, victim: Standing) -> None:
        harms: dict[str, Callable[[], object]] = {
            "scancel pending": lambda: self._run("scancel", victim.job),
            "usr2": lambda: self.cluster.notify(victim.job),
            "sigkill": lambda: os.kill(int((read_status(victim.point.run_dir) or {})["pid"]), signal.SIGKILL),
            "controller": self._restart_controller,
            "requeue": lambda: self._run("scontrol", "requeue", victim.job),
            "scancel": lambda: self._run("scancel", victim.job),
            "slurmd": lambda: self._restart_slurmd(victim.node),
            "outage": self.outage.touch,
            "node down": lambda: self._node_down(victim.node),
        }
        harms[fault]()

    def _run(self, *command: str) -> None:
        self.cluster.run(*command, timeout=120)

    def _restart_controller(self) -> None:
        self.cluster.stop("slurmctld", signal.SIGKILL)
        self.cluster.start_controller()

    def _restart_slurmd(self, node: str) -> None:
        """Its jobs live on; the node answers again before SLURM gives it up."""
        self.cluster.stop(f"slurmd.{node}", signal.SIGKILL)
        time.sleep(2)
        self.cluster.start_node(node)

    def _node_down(self, node: str) -> None:
        self._run("scontrol", "update", f"nodename={node}", "state=down", "reason=fault")
        time.sleep(8)  # its old jobs are gone before it takes new ones
        self.cluster.mend()

    def _seen(self, fault: str, victim: Standing) -> str:
        """The state of the victim in `status` once the fault shows, or once the run has ended in spite of it."""
        now = victim

        def shows(seen: Survey) -> bool:
            nonlocal now
            (now,) = [s for s in seen.standings if s.point.run_id == victim.point.run_id]
            return now.state != victim.state or now.attempt > victim.attempt

        self.lab.wait(shows, 180)
        return now.state if now.attempt == victim.attempt else f"{now.state}, attempt {now.attempt}"

    def assert_each_fault_hit(self, faults: Sequence[str]) -> None:
        """An attempt was ended and another one followed; or, with SURVIVED, the same attempt went to the end."""
        assert [blow.fault for blow in self.blows] == list(faults)
        for blow in self.blows:
            more = attempts(blow.victim) - blow.victim.attempt
            if blow.fault in SURVIVED:
                assert more == 0, f"{blow.fault}: {blow.victim.point.run_id} was begun again"
            else:
                assert more >= 1, f"{blow.fault}: {blow.victim.point.run_id} did not suffer"

    def table(self, seen: Survey) -> str:
        """What was done, and what became of it."""
        ends = {s.point.run_id: s for s in seen.standings}
        rows = []
        for blow in self.blows:
            victim, end = blow.victim, ends[blow.victim.point.run_id]
            at = "waiting" if victim.state == "pending" else f"{victim.step} of {victim.point.config['steps']}"
            last = f"{end.state}, attempt {attempts(end)}"
            rows.append((WORDS[blow.fault], victim.point.run_id, at, blow.seen, last))
        return markdown(("fault", "run", "after step", "state seen next", "in the end"), rows)
