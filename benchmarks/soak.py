"""Does a long run leak? One run with all of it on, watched from outside: memory, file descriptors, processes.

    python benchmarks/soak.py --minutes 60 [--json soak.json]

The run: a policy from scratch, CE-GPPO with a KL penalty and adaptive entropy; a reward of the task's check, a reward
model and a verifier that hangs now and then, so that its worker is killed and replaced; an evaluation, a checkpoint and
samples every few steps; W&B offline where it is installed. It is ended by SIGTERM, as a cluster would. What is
printed: the slope of each quantity an hour with a 95 % interval, from means over stretches of time, the first quarter
left out (allocators and caches fill up). Nothing is asserted; three minutes say little.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from crucible.rewards.base import per_sample  # noqa: E402

STRETCHES = 20  # of which the means are taken as independent
LEFT_OUT = 0.25  # share of the time, at the start
OPTIONS = [
    "algo=ce_gppo", "algo/kl=in_loss", "algo.reference.every=5", "entropy=adaptive",
    "data=chain", "data.terms=3", "data.eval_prompts=8", "model.warmup=null",
    "reward=weighted", "+reward@reward.parts.judge=rlbff", "+reward.weights.judge=0.1",
    "reward.parts.judge.recipe.responses=640", "reward.parts.judge.recipe.held_out_responses=64",
    "reward.parts.judge.recipe.epochs=1", "reward.parts.judge.recipe.proofread_updates=5",
    "+reward.parts.stuck={_target_: soak.sometimes_stuck}", "+reward.weights.stuck=0.1",
    "reward_runtime.timeout=0.5", "batch.prompts_per_step=4", "batch.samples_per_prompt=4",
    "batch.updates_per_rollout=2", "sampling.max_tokens=12",
    "evaluation.every=10", "evaluation.samples_per_prompt=2", "checkpoint_every=10", "samples_every=5",
    "optim.lr=1e-5", "steps=1000000", "trainer.accelerator=cpu", "trainer.threads=1", "figures=false",
]  # fmt: skip


@per_sample()
def sometimes_stuck(prompt, completion, *, every: int = 200):
    """1 for an answer with a digit, else 0; one text in `every` makes it hang."""
    if int.from_bytes(hashlib.sha256(f"{prompt.id} {completion.text}".encode()).digest()[:4], "big") % every == 0:
        time.sleep(1000)
    return float(any(c.isdigit() for c in completion.text))


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    found = [pid]
    for parent in found:  # grows while it is gone through
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            found += [int(child) for child in task.read_text().split()]
    return found


def looked_at(pid: int) -> dict[str, float]:
    """MiB of memory (resident), open files, threads and processes of the run at this moment."""
    everyone, memory, files = family(pid), [0.0], [0.0]
    for one in everyone:
        try:
            status = dict(line.split(":", 1) for line in Path(f"/proc/{one}/status").read_text().splitlines())
            memory.append(float(status.get("VmRSS", "0").split()[0]) / 1024)
            files.append(len(os.listdir(f"/proc/{one}/fd")))
        except OSError:  # it ended meanwhile, as replaced workers do
            continue
    return {
        "memory_main_mib": memory[1],
        "memory_all_mib": sum(memory),
        "files_main": files[1],
        "files_all": sum(files),
        "threads_main": len(os.listdir(f"/proc/{pid}/task")),
        "processes": len(everyone),
    }


def slope(hours: Sequence[float], values: Sequence[float]) -> dict[str, float]:
    """Least squares over the means of STRETCHES stretches: units an hour, with a 95 % interval."""
    import numpy as np
    from scipy import stats

    x, y = np.asarray(hours), np.asarray(values)
    late = x >= x[0] + LEFT_OUT * (x[-1] - x[0])
    parts = np.array_split(np.arange(late.sum()), STRETCHES)
    means = [(x[late][p].mean(), y[late][p].mean()) for p in parts if len(p)]
    fit = stats.linregress(*zip(*means, strict=True))
    still = np.ptp([y for _, y in means]) == 0  # the error of a constant is 0, which linregress gives as nan
    margin = 0.0 if still else stats.t.ppf(0.975, len(means) - 2) * fit.stderr
    return {
        "per_hour": float(fit.slope), "low": float(fit.slope - margin), "high": float(fit.slope + margin),
        "mean": float(y[late].mean()), "most": float(y.max()),
    }  # fmt: skip


def last_step(runs: Path) -> int:
    """Of the run's status, 0 before there is one."""
    files = list(runs.rglob("status.json"))
    return json.loads(files[0].read_bytes())["step"] if files else 0


def watch(process: subprocess.Popen[bytes], runs: Path, given: argparse.Namespace) -> list[dict[str, float]]:
    """What the run holds from its first finished step on, for as long as asked; kept in the file at every look."""
    samples: list[dict[str, float]] = []
    started = 0.0
    while process.poll() is None:
        if not started and last_step(runs):
            started = time.monotonic()
        if started:
            hours = (time.monotonic() - started) / 3600
            samples.append({"hours": hours, "step": last_step(runs), **looked_at(process.pid)})
            if given.json:
                given.json.write_text(json.dumps({"samples": samples}) + "\n")
            if hours * 60 > given.minutes:
                return samples
        time.sleep(given.every)
    raise SystemExit(f"the run ended by itself with code {process.returncode}; see what it printed above")


def told(samples: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    """The slopes, printed."""
    hours = [s["hours"] for s in samples]
    slopes = {name: slope(hours, [s[name] for s in samples]) for name in samples[0] if name not in ("hours", "step")}
    print(f"\n{60 * hours[-1]:.1f} minutes, {samples[-1]['step']} steps, {len(samples)} looks")
    for name, s in slopes.items():
        print(f"{name:<16} {s['per_hour']:+9.3f} an hour [{s['low']:+.3f}, {s['high']:+.3f}]   mean {s['mean']:.1f}")
    return slopes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--every", type=float, default=5.0, help="seconds between looks")
    parser.add_argument("--json", type=Path, help="where the slopes and all samples go")
    parser.add_argument("--runs-dir", type=Path, help="kept afterwards; default: a folder that is removed")
    given, more = parser.parse_known_args()
    with tempfile.TemporaryDirectory(prefix="crucible-soak-") as folder:
        runs = given.runs_dir or Path(folder) / "runs"
        logger = ["logger=wandb", "logger.mode=offline"] if importlib.util.find_spec("wandb") else []
        places = [f"runs_dir={runs}", f"cache_dir={Path(folder) / 'cache'}"]
        paths = [str(ROOT / "src"), str(ROOT / "benchmarks")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, str(ROOT / "train.py"), *OPTIONS, *logger, *places, *more]
        process = subprocess.Popen(command, env=environment, cwd=folder)
        try:
            samples = watch(process, runs, given)
            slopes = told(samples)
            asked = time.monotonic()
            process.send_signal(signal.SIGTERM)
            code = process.wait(timeout=3600)
        finally:
            process.kill()
        state = json.loads(next(runs.rglob("status.json")).read_bytes())
    ended = {"state": state["state"], "exit_code": code, "seconds_to_end": time.monotonic() - asked}
    print(f"asked to end: {ended['state']} after {ended['seconds_to_end']:.0f} s, exit code {code}")
    if given.json:
        facts = {"minutes": 60 * samples[-1]["hours"], "steps": state["step"], **ended}
        given.json.write_text(json.dumps({**facts, "slopes": slopes, "samples": samples}, indent=1) + "\n")


if __name__ == "__main__":
    main()
