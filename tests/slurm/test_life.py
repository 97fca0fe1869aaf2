"""The ordinary life of a sweep on a real SLURM."""

from __future__ import annotations

import subprocess
import time

import pytest

from crucible.errors import UserError
from crucible.sweeps.ledger import Ledger
from tests.slurm.cluster import Cluster
from tests.sweeps.lab import SMALL, Lab, assert_finished_once

pytestmark = pytest.mark.slurm


def test_a_sweep_is_sent_once_and_finishes_once(lab: Lab) -> None:
    lab.write(grid=["batch_size=4,8", "optim=constant,decay"], seeds="1,2")
    lab.act()
    assert "sent 8 runs in 1 slurm batches" in lab.said[-1]
    lab.act()
    assert "sent 0 runs" in lab.said[-1]
    seen = lab.wait_for("finished", 90)
    assert_finished_once(seen, lab.folder)
    assert {s.attempt for s in seen.standings} == {1}
    lab.act()
    assert "sent 0 runs" in lab.said[-1]


def test_a_new_seed_sends_only_what_is_new(lab: Lab) -> None:
    lab.write(base=["steps=3"])
    lab.act()
    lab.wait_for("finished", 60)
    lab.write(base=["steps=3"], seeds="1,2")
    lab.act()
    assert "sent 2 runs" in lab.said[-1]
    assert_finished_once(lab.wait_for("finished", 60), lab.folder)


def test_the_same_point_of_two_sweeps_is_one_run(lab: Lab) -> None:
    lab.write("one", base=["steps=3"])
    lab.write("two", base=["steps=3"], grid=["batch_size=8,16"])
    lab.act("one")
    lab.act("two")
    assert "sent 1 runs" in lab.said[-1]
    lab.wait_for("finished", 60, name="two")
    assert len(list(lab.runs.glob("*/seed*"))) == 3


def test_the_launcher_returns_at_once_and_the_throttle_holds(lab: Lab) -> None:
    lab.write(base=["step_seconds=0.05"], seeds="1,2,3", resources={**SMALL, "parallel": 2})
    began = time.monotonic()
    lab.act()
    assert time.monotonic() - began < 8
    most = 0

    def finished(seen) -> bool:
        nonlocal most
        most = max(most, len(seen.having("running")))
        return len(seen.having("finished")) == 6

    assert_finished_once(lab.wait(finished, 120), lab.folder)
    assert 1 <= most <= 2


def test_arrays_beyond_max_array_size_are_split(lab: Lab, cluster: Cluster) -> None:
    lab.write(base=["steps=1"], grid=["batch_size=range(1,21)"], resources={**SMALL, "parallel": 4})
    lab.act()
    assert sorted(len(b.runs) for b in Ledger(lab.runs).batches()) == [4, cluster.shape.max_array]
    assert_finished_once(lab.wait_for("finished", 180), lab.folder)


def test_points_with_other_resources_go_in_another_array(lab: Lab) -> None:
    lab.write(
        base=["steps=2"],
        points=[{"when": "batch_size > 4", "resources": {"cpus": 3, "memory_gb": 0.3}}],
    )
    lab.act()
    sizes = {(b.resources["cpus"], b.resources["memory_gb"], len(b.runs)) for b in Ledger(lab.runs).batches()}
    assert sizes == {(1, 0.2, 1), (3, 0.3, 1)}
    lab.wait_for("finished", 60)


def test_two_submits_at_the_same_moment_send_each_run_once(lab: Lab) -> None:
    lab.write(seeds="1,2,3")
    both = [
        subprocess.Popen(lab.command("sweep=t", "cluster=slurm", *options), stdout=subprocess.PIPE, text=True)
        for options in [["cluster.resources.gpus=0", "resources.cpus=1", "resources.memory_gb=0.2"]] * 2
    ]
    said = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sorted("sent 6 runs" in text for text in said) == [False, True]
    assert_finished_once(lab.wait_for("finished", 90), lab.folder)
    assert {s.attempt for s in lab.survey().standings} == {1}


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        ({"memory_gb": 900}, "Requested node configuration is not available"),
        ({"partition": "nowhere"}, "nowhere"),
        ({"options": {"gres": "gpu:h100:8"}}, "gres"),
    ],
)
def test_what_slurm_refuses_is_shown_and_nothing_is_sent(lab: Lab, resources: dict, message: str) -> None:
    lab.write(resources={**SMALL, **resources})
    with pytest.raises(UserError, match=message) as refusal:
        lab.act()
    assert "\n" not in str(refusal.value)
    assert lab.states() == {"new": 2}
    assert Ledger(lab.runs).batches() == []


def test_without_a_controller_nothing_is_called_dead_and_nothing_is_sent(lab: Lab, cluster: Cluster) -> None:
    lab.write(base=["step_seconds=1"])  # squeue takes seconds to give up, so these must last
    lab.act()
    lab.wait_for_step(1, 60)  # SLURM says running before srun has asked it for leave
    cluster.stop("slurmctld")
    try:
        assert lab.states() == {"unknown": 2}
        with pytest.raises(UserError, match="squeue does not answer"):
            lab.act(action="retry")
    finally:
        cluster.start_controller()
    assert_finished_once(lab.wait_for("finished", 60), lab.folder)
