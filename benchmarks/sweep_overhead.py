"""What the sweep launcher costs. Prints, asserts nothing. CPU seconds are of this process; wall ones suffer from
whatever else the machine does.

    python benchmarks/sweep_overhead.py                  # expansion and status of 2,000 points
    python benchmarks/sweep_overhead.py --jobs 200       # and real jobs, beside bare sbatch (needs SLURM)

Peers, in the same run: full Hydra composition of each point; `sbatch --array` of the same Python
program without Crucible or submitit; `sbatch --array` of `true`.
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
seeds: 1
resources: {{hours: 0.5, memory_gb: 0.2, parallel: 8}}
"""


Times = dict[str, tuple[float, float]]  # CPU and wall seconds


@contextmanager
def timed(what: str, times: Times) -> Iterator[None]:
    cpu, wall = time.process_time(), time.perf_counter()
    yield
    times[what] = (time.process_time() - cpu, time.perf_counter() - wall)


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
    """`count` one-step runs through the launcher, and bare arrays of the same length and throttle."""
    from tests.slurm.cluster import Cluster
    from tests.slurm.cluster_conf import Shape
    from tests.sweeps.lab import TRIAL, Lab

    cluster = Cluster(Path(tempfile.mkdtemp(prefix="crucible-bench-")), Shape(nodes=1, cpus=8))
    cluster.up()
    try:
        os.environ.update({**cluster.environment(), "PYTHONPATH": Lab.python_path(), "OMP_NUM_THREADS": "1"})
        sys.path.insert(0, str(TRIAL))
        from crucible.sweeps.slurm import Slurm

        for name, command in {
            "sbatch --array of `true`": "true",
            "sbatch --array of `python -c 'import submitit'`": f"{sys.executable} -c 'import submitit'",
        }.items():
            with timed(f"{count} x {name}", times):
                array(folder, count, f"srun {command}" if command != "true" else command)
        lab = Lab(folder / "lab", cluster=Slurm(resources={}))
        (folder / "lab" / "sweeps").mkdir(parents=True)
        (folder / "lab" / "sweeps" / "t.yaml").write_text(TRIVIAL.format(count + 1))
        with timed(f"{count} x Crucible", times):
            with timed("  of which: the launcher returned after", times):
                lab.act()
            lab.wait(lambda seen: len(seen.having("finished")) == count, 1800)
    finally:
        cluster.down(remove=True)


def array(folder: Path, count: int, command: str) -> None:
    job = subprocess.run(
        ["sbatch", "--parsable", "--mem=200M", f"--array=1-{count}%8", f"--output={folder}/%a.out", "--wrap", command],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    while subprocess.run(["squeue", "-h", "-j", job], capture_output=True, text=True, check=False).stdout.strip():
        time.sleep(0.1)


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
        per_job = f"  {1000 * wall / count:7.1f} ms a job" if what.startswith(f"{count} x") else ""
        print(f"{cpu:7.2f}  {wall:7.2f}  {what}{per_job}")


if __name__ == "__main__":
    main()
