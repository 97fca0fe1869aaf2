"""Seconds until the first answer: help and dry run of train.py, beside importing the peers.

    python benchmarks/startup.py --repeats 5
    python benchmarks/startup.py --against ../other-checkout     # this checkout beside another one

Each line is a fresh Python process; best and median of the repeats, after one run that warms the
disk cache. The commands take turns, so that a busy machine is as busy for all of them; CPU is user and
system time, which other processes disturb less. Nothing here is asserted.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def commands(against: Path | None) -> dict[str, list[str]]:
    train = [sys.executable, str(ROOT / "train.py")]
    if against is not None:
        other = [sys.executable, str(against / "train.py")]
        return {
            f"{arguments} ({place})": [*program, arguments]
            for arguments in ("--help", "dry_run=true")
            for place, program in (("this", train), (against.name, other))
        }
    peers = [name for name in ("hydra", "torch", "transformers", "trl") if importlib.util.find_spec(name)]
    return {
        "python -c pass": [sys.executable, "-c", "pass"],
        "train.py --help": [*train, "--help"],
        "train.py dry_run=true": [*train, "dry_run=true"],
        "train.py algo=grpp (a typo)": [*train, "algo=grpp"],
        **{f"import {name}": [sys.executable, "-c", f"import {name}"] for name in peers},
        **(
            {"import trl.GRPOTrainer": [sys.executable, "-c", "from trl import GRPOTrainer"]}
            if "trl" in peers
            else {}
        ),
    }


def seconds(command: list[str], expected: int) -> tuple[float, float]:
    """Wall and CPU seconds of one process."""
    source = Path(command[1]).parent / "src" if command[1].endswith(".py") else ROOT / "src"
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": str(source)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != expected:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    return wall, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5, help="timed runs of each command")
    parser.add_argument("--against", type=Path, help="a folder with another version of train.py, conf/ and src/")
    options = parser.parse_args()
    chosen = commands(options.against and options.against.resolve())
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in chosen}
    for turn in range(options.repeats + 1):
        for name, command in chosen.items():
            taken = seconds(command, 2 if "typo" in name else 0)
            if turn:  # the first turn warms the disk cache
                times[name].append(taken)
    print(f"{'command':<34} {'best s':>8} {'median s':>9} {'best CPU s':>11} {'median CPU s':>13}")
    for name, taken in times.items():
        wall, cpu = zip(*taken, strict=True)
        print(
            f"{name:<34} {min(wall):>8.2f} {statistics.median(wall):>9.2f} "
            f"{min(cpu):>11.2f} {statistics.median(cpu):>13.2f}"
        )


if __name__ == "__main__":
    main()
