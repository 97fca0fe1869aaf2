"""Seconds until the first answer: help and dry run of train.py, beside importing the peers.

    python benchmarks/startup.py --repeats 5

Each line is a fresh Python process; best and median of the repeats, after one run that warms the
disk cache. Nothing here is asserted.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def commands() -> dict[str, list[str]]:
    train = [sys.executable, str(ROOT / "train.py")]
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


def seconds(command: list[str], expected: int) -> float:
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode != expected:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5, help="timed runs of each command")
    repeats = parser.parse_args().repeats
    print(f"{'command':<30} {'best s':>8} {'median s':>9}")
    for name, command in commands().items():
        expected = 2 if "typo" in name else 0
        seconds(command, expected)
        times = [seconds(command, expected) for _ in range(repeats)]
        print(f"{name:<30} {min(times):>8.2f} {statistics.median(times):>9.2f}", flush=True)


if __name__ == "__main__":
    main()
