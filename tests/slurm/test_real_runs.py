"""The main job itself on a real SLURM, with the smallest policy that is right now and then.

The policy is warmed up once and read from the cache by all runs. The same points are also run one after another in
one process of this machine, undisturbed; the numbers must be those.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from crucible.rundir import read_provenance
from crucible.sweeps.status import Standing
from tests.slurm.cluster import Cluster
from tests.slurm.saboteur import FAULTS, Saboteur
from tests.slurm.test_sweep_with_faults import disturb
from tests.sweeps.lab import REPOSITORY, SMALL, Lab, assert_same_history, attempts, untimed, updates
from tests.sweeps.trial.trial_gate import GATE, OUTAGE, Gate

pytestmark = pytest.mark.slurm

TINY = [
    "algo=ce_gppo", "reward._target_=trial_judge.Judge", "data.terms=2", "data.direct_share=1",
    "data.eval_prompts=4", "model.hidden_size=32", "model.layers=1", "model.heads=2", "model.kv_heads=1",
    "model.intermediate_size=64", "model.context_length=32", "model.warmup.target_accuracy=0.1",
    "model.warmup.batch_size=32", "model.warmup.probe_prompts=32", "model.warmup.probe_every=10",
    "model.warmup.max_tokens=8", "batch.prompts_per_step=8", "batch.samples_per_prompt=4",
    "batch.updates_per_rollout=2", "evaluation.samples_per_prompt=1", "sampling.max_tokens=6", "trainer.threads=1",
    "checkpoint_every=2", "figures=false",
]  # fmt: skip
RESOURCES = {**SMALL, "memory_gb": 2, "notice_seconds": 30}


@pytest.fixture
def place(lab: Lab, tmp_path: Path) -> Lab:
    return Lab(tmp_path / "real", cluster=lab.cluster, root=REPOSITORY)


def alone(place: Lab, name: str = "t") -> list[Standing]:
    """The same sweep, one run after another in one process, elsewhere."""
    elsewhere = place.folder / "alone"
    options = ["cluster=debug", "resources.cpus=1", f"runs_dir={elsewhere}"]
    command = [item for item in place.command(f"sweep={name}", *options) if item != f"runs_dir={place.runs}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    standings = place.act(name, action="status", runs_dir=str(elsewhere)).standings
    assert {s.state for s in standings} == {"finished"}, done.stdout + done.stderr
    return standings


def test_a_real_run_is_requeued_with_the_same_id_also_in_wandb(
    place: Lab, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb")
    place.write(
        base=[
            *TINY,
            "steps=6",
            "logger=wandb",
            "logger.mode=offline",
            "logger.timeout_s=120",
            f"cache_dir={place.folder / 'cache'}",
        ],
        grid=["algo.loss.beta1=0.5"],
        resources=RESOURCES,
    )
    (quiet,) = alone(place)
    gate = Gate(place.folder / "gate")
    monkeypatch.setenv(GATE, str(gate.folder))
    place.act()
    run = place.wait_for_step(2, 300).standings[0]  # and waits in the middle of the third
    cluster.notify(run.job)
    gate.open()
    place.wait(lambda seen: seen.standings[0].state == "preempted" or seen.standings[0].attempt == 2, 120)
    (end,) = place.wait_for("finished", 300).standings
    assert (attempts(quiet), attempts(end)) == (1, 2)
    assert (quiet.point.run_id, run.point.run_id) == (end.point.run_id, end.point.run_id)
    assert_same_history(end, updates(quiet.point.run_dir))
    kept = json.loads((end.point.run_dir / "wandb.json").read_text())["id"]
    mirrors = list(end.point.run_dir.rglob("*.wandb"))
    assert [mirror.name for mirror in mirrors] == [f"run-{kept}.wandb"] * 2, "one W&B run, a file for each attempt"
    facts = read_provenance(end.point.run_dir)
    assert facts["attempt"] == 2
    assert facts["earlier"][0]["variables"]["SLURM_JOB_ID"] == facts["variables"]["SLURM_JOB_ID"], "the same job"


def test_two_ranks_of_the_main_job_are_preempted_together(
    place: Lab, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alone, the run starts its second rank itself; here srun does."""
    place.write(
        base=[*TINY, "steps=6", "trainer.devices=2", f"cache_dir={place.folder / 'cache'}"],
        grid=["algo.loss.beta1=0.5"],
        resources={**RESOURCES, "tasks": 2, "memory_gb": 4},
    )
    (quiet,) = alone(place)
    gate = Gate(place.folder / "gate")
    monkeypatch.setenv(GATE, str(gate.folder))
    place.act()
    run = place.wait_for_step(2, 300).standings[0]
    cluster.notify(run.job)
    gate.open()
    (end,) = place.wait_for("finished", 300).standings
    assert (attempts(quiet), attempts(end)) == (1, 2)
    assert_same_history(end, updates(quiet.point.run_dir))
    assert len(list(end.point.run_dir.glob("metrics.*.jsonl"))) == 2, "a file for each attempt, not for each rank"


@pytest.mark.slow
def test_24_real_runs_end_as_if_undisturbed(
    place: Lab, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.write(
        base=[*TINY, "steps=6", f"cache_dir={place.folder / 'cache'}"],
        grid=["sampling.temperature=0.9,1", "entropy=none,bonus", "optim.lr=1e-3,3e-3"],
        seeds="1,2,3",
        resources={**RESOURCES, "parallel": 3},
    )
    quiet = alone(place)
    ends = {tuple(sorted(untimed(updates(s.point.run_dir)[-1]).items())) for s in quiet}
    assert len(ends) == 24, "every point must train in its own way, or equality would prove nothing"
    saboteur = Saboteur(place, cluster, Gate(tmp_path / "gate"), tmp_path / "outage")
    monkeypatch.setenv(GATE, str(saboteur.gate.folder))
    monkeypatch.setenv(OUTAGE, str(saboteur.outage))
    disturbed = disturb(place, saboteur, FAULTS, "24 real training runs under faults")
    for reference, standing in zip(quiet, disturbed.standings, strict=True):
        assert reference.point.run_id == standing.point.run_id
        assert attempts(reference) == 1
        assert_same_history(standing, updates(reference.point.run_dir))
