"""Seconds to load N run directories as frames; every file of a run is really there and really read.

    python benchmarks/load_runs.py --runs 10000 --steps 50

One run is written as a training run writes it; the others are its files with another seed and another option.
All in one process. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from crucible.analysis.frame import curves_frame, evaluations_frame, find_runs, outcomes_frame, runs_frame  # noqa: E402
from crucible.config.compose import compose  # noqa: E402
from crucible.rundir import RunDir  # noqa: E402

UPDATES, PROBLEMS, SAMPLES, EVERY = 4, 128, 8, 25
METRICS = [f"policy/metric_{i}" for i in range(25)]


def write_template(path: Path, steps: int) -> None:
    """A finished run of the default config: an update row of 25 metrics, an evaluation of 128 problems every 25."""
    config = compose(["seed=1", f"runs_dir={path.parent.parent}"], ROOT).config
    right = [i % (SAMPLES + 1) for i in range(PROBLEMS)]
    with RunDir.open(path, config, steps=steps, command="python train.py", report=lambda line: None) as run:
        for step in range(steps + 1):
            if step % EVERY == 0 or step == steps:
                phase = {0: "before", steps: "after"}.get(step, "during")
                values = {"eval/chain/avg@8": 0.5, "eval/chain/avg@8_low": 0.4, "eval/chain/avg@8_high": 0.6}
                row = {"kind": "eval", "step": step, "phase": phase, **values, "eval/chain/right_of_8": right}
                run.write_metrics(row)
            for update in range(UPDATES if step else 0):
                values = {name: 0.123456789 * (i + 1) / step for i, name in enumerate(METRICS)}
                number = (step - 1) * UPDATES + update + 1
                run.write_metrics({"kind": "update", "step": step, "update": number, **values})
        run.write_status("finished", step=steps)


def write_runs(folder: Path, runs: int, steps: int) -> int:
    """Bytes written."""
    template = folder / "template" / "run"
    write_template(template, steps)
    files = {p.name: p.read_bytes() for p in template.iterdir() if p.is_file()}
    shutil.rmtree(template.parent)
    config = files["config.yaml"].decode()
    for i in range(runs):
        path = folder / f"exp{i // 500}" / f"seed{i}-{i:010x}"
        path.mkdir(parents=True)
        changed = config.replace("\nseed: 1\n", f"\nseed: {i}\n").replace("beta1: 0.5", f"beta1: {i % 5 / 4}")
        for name, content in {**files, "config.yaml": changed.encode()}.items():
            (path / name).write_bytes(content)
    return runs * sum(map(len, files.values()))


def timed(what: str, action: Callable[[], Any], runs: int) -> Any:
    started, worked = time.perf_counter(), time.process_time()
    result = action()
    seconds, processor = time.perf_counter() - started, time.process_time() - worked
    each = f"{1000 * seconds / runs:.2f} ms a run"
    print(f"{what:<44} {seconds:>8.2f} s (processor {processor:.2f} s) {each:>18}", flush=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=500, help="how many run directories")
    parser.add_argument("--steps", type=int, default=50, help="rollout steps of each run")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="crucible-load-") as name:
        size = write_runs(Path(name), given.runs, given.steps)
        print(f"{given.runs} runs of {given.steps} steps x {UPDATES} updates, {size / 1e6:.0f} MB, warm disk cache")
        found = timed("find_runs (config, status, provenance)", lambda: find_runs([name]), given.runs)
        timed("runs_frame", lambda: runs_frame(found), given.runs)
        timed("evaluations_frame (reads the metrics files)", lambda: evaluations_frame(found), given.runs)
        timed("outcomes_frame, phase=after", lambda: outcomes_frame(found, phase="after"), given.runs)
        timed("curves_frame of one metric", lambda: curves_frame(found, METRICS[:1]), given.runs)
        few = found[:500]
        timed(f"curves_frame of all metrics, {len(few)} runs", lambda: curves_frame(few), len(few))


if __name__ == "__main__":
    main()
