"""What the sweep launcher costs. Prints, asserts nothing. CPU seconds are of this process; wall ones suffer from
whatever else the machine does.

    python benchmarks/sweep_overhead.py                  # expansion and status of 2,000 points
    python benchmarks/sweep_overhead.py --jobs 200       # and real jobs, beside bare sbatch (needs SLURM)

Peers, in the same run: full Hydra composition of each point; `sbatch --array` of `true`; of the same one-step runs,
started without the launcher; submitit's array of a function that does nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "src")]
SWEEP = """
base: [reward=exact]
grid:
  - algo=grpo,gppo,ce_gppo,dapo
  - optim.lr=1e-4,2e-4,3e-4,4e-4,5e-4
  - batch.samples_per_prompt=4,8,16,32
  - sampling.temperature=0.8,0.9,1.0,1.1,1.2
seeds: range(1,6)
"""
TRIVIAL = """
base: [steps=1]
grid: ["batch_size=range(1,{})"]
seeds: {}
resources: {{hours: 0.5, memory_gb: 0.2, parallel: 8}}
"""
ROUNDS = 4  # the peers take turns, since the load of a machine drifts
THE_SAME_RUN = """
import os, sys
from trial_program import train
optim = {"_target_": "trial_program.constant"}
size, run_id = int(os.environ["SLURM_ARRAY_TASK_ID"]), os.environ["SLURM_JOB_ID"]
train(optim=optim, seed=1, steps=1, batch_size=size, experiment="t", run_id=run_id, runs_dir=sys.argv[1])
"""


Times = dict[str, tuple[float, float]]  # CPU and wall seconds


@contextmanager
def timed(what: str, times: Times) -> Iterator[None]:
    cpu, wall = time.process_time(), time.perf_counter()
    yield
    before = times.get(what, (0.0, 0.0))
    times[what] = (before[0] + time.process_time() - cpu, before[1] + time.perf_counter() - wall)


def expansion(folder: Path, times: Times) -> None:
    """2,000 points of the real configs; their status when new, and when all have run directories."""
    from crucible.rundir.status import write_status
    from crucible.sweeps.composition import open_composer
    from crucible.sweeps.definition import load
    from crucible.sweeps.expansion import expand, place
    from crucible.sweeps.ledger import Ledger, new_batch
    from crucible.sweeps.program import RULES
    from crucible.sweeps.status import survey

    (folder / "big.yaml").write_text(SWEEP)
    with timed("expand 2,000 points", times):
        definition = load("big", folder)
        with open_composer(REPOSITORY) as composer:
            points = expand(definition, composer, RULES)
    assert len(points) == 2000
    with open_composer(REPOSITORY) as composer, timed("full Hydra composition of 10 points", times):
        for point in points[::200]:
            assert composer.compose_fully(point.overrides).config == point.config
    ledger = Ledger(folder / "runs")
    ledger.create()
    placed = place(points, folder / "runs", "big")
    for start in range(0, 2000, 1000):
        ledger.write_batch(new_batch("local", "big", [p.run_id for p in placed[start : start + 1000]], {}))
    row = json.dumps({"kind": "update", "step": 7, "reward/mean": 0.5, "time/rollout_s": 1.25}) + "\n"
    for point in placed:
        point.run_dir.mkdir(parents=True)
        (point.run_dir / "config.yaml").touch()
        (point.run_dir / "metrics.001.jsonl").write_text(row * 100)
        write_status(point.run_dir, "finished", attempt=1, step=100)
    with timed("place and status of 2,000 runs", times):
        seen = survey(place(points, folder / "runs", "big"), ledger, "reward/mean")
    assert len(seen.having("finished")) == 2000


def jobs(folder: Path, count: int, times: Times) -> None:
    """About `count` one-step runs through the launcher, and bare arrays of the same length and throttle."""
    from tests.slurm.cluster import Cluster
    from tests.slurm.cluster_conf import Shape
    from tests.sweeps.lab import TRIAL, Lab

    cluster = Cluster(Path(tempfile.mkdtemp(prefix="crucible-bench-")), Shape(nodes=1, cpus=8))
    cluster.up()
    try:
        os.environ.update({**cluster.environment(), "PYTHONPATH": Lab.python_path(), "OMP_NUM_THREADS": "1"})
        sys.path.insert(0, str(TRIAL))
        from crucible.sweeps.slurm import Slurm

        (folder / "same.py").write_text(THE_SAME_RUN)
        lab = Lab(folder / "lab", cluster=Slurm(resources={}))
        (folder / "lab" / "sweeps").mkdir(parents=True)
        each = count // ROUNDS
        for turn in range(ROUNDS):
            with timed(f"{each * ROUNDS} x sbatch --array of `true`", times):
                array(folder, each, "true")
            with timed(f"{each * ROUNDS} x sbatch --array of the same runs", times):
                array(folder, each, f"srun {sys.executable} {folder}/same.py {folder}/bare{turn}")
            assert len(list((folder / f"bare{turn}").glob("t/*/status.json"))) == each
            with timed(f"{each * ROUNDS} x submitit's array of os.getpid", times):
                empty(folder / f"empty{turn}", each)
            (folder / "lab" / "sweeps" / "t.yaml").write_text(TRIVIAL.format(each + 1, turn))
            with timed(f"{each * ROUNDS} x Crucible", times):
                with timed("  of which: the launcher returned after, all rounds", times):
                    lab.act()
                wait_for("--me")
            assert lab.states() == {"finished": each}
    finally:
        cluster.down(remove=True)


def array(folder: Path, count: int, command: str) -> None:
    job = subprocess.run(
        ["sbatch", "--parsable", "--mem=200M", f"--array=1-{count}%8", f"--output={folder}/%a.out", "--wrap", command],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    wait_for("-j", job)


def wait_for(*which: str) -> None:
    while subprocess.run(["squeue", "-h", *which], capture_output=True, text=True, check=False).stdout.strip():
        time.sleep(0.1)


def empty(folder: Path, count: int) -> None:
    """What submitit and SLURM cost by themselves."""
    import submitit

    executor = submitit.SlurmExecutor(folder, max_num_timeout=0)
    executor.update_parameters(mem="200MB", time=30, array_parallelism=8, stderr_to_stdout=True)
    submitted = executor.map_array(getpid, range(count))
    wait_for("-j", submitted[0].job_id.partition("_")[0])


def getpid(_: int) -> int:
    return os.getpid()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=0)
    count: int = parser.parse_args().jobs
    times: Times = {}
    measures: list[Callable[[Path], Any]] = [lambda folder: expansion(folder, times)]
    if count:
        measures.append(lambda folder: jobs(folder, count, times))
    for measure in measures:
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder))
    print("  CPU s   wall s")
    for what, (cpu, wall) in times.items():
        many = what.partition(" x ")[0]
        per_job = f"  {1000 * wall / int(many):7.1f} ms a job" if many.isdigit() else ""
        print(f"{cpu:7.2f}  {wall:7.2f}  {what}{per_job}")


if __name__ == "__main__":
    main()
