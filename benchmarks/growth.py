"""How the time and memory of an RL step grow with samples, lengths, vocabulary and parameters, and what bounds them.

    python benchmarks/growth.py [--only samples completion prompt vocabulary parameters]

Each point is a process that takes a few steps of GRPO on random words (see rl_step.py) with one dial changed from a
base of 16 prompts x 8 samples, 32 prompt and 32 completion tokens, 2.8 M parameters. The slope is that of log(seconds)
on log(dial) over the last two points: 1 is proportional. The share of the peak is 2 x parameters x tokens for every
token sampled and 6 x for every token learned from (prompts once), over the seconds, over what a square float32 product
of this machine reaches in the same process.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch.nn.functional import linear

sys.path.insert(0, str(Path(__file__).resolve().parent))
import rl_step

from crucible.policy import onednn

BASE = rl_step.Workload(prompts=16, samples=8, prompt_tokens=32, completion_tokens=32)
DIALS = {
    "samples": [{"samples": n} for n in (4, 8, 16, 32)],
    "completion": [{"completion_tokens": n} for n in (16, 32, 64, 128)],
    "prompt": [{"prompt_tokens": n} for n in (32, 64, 128, 256)],
    "vocabulary": [{"vocabulary": n} for n in (512, 4096, 32_768, 131_072)],
    "parameters": [{"hidden": n} for n in (96, 192, 384, 768)],
}


def one_process(options: argparse.Namespace) -> None:
    w = rl_step.Workload(**json.loads(options.point))
    rl_step.WORKLOADS["point"] = w
    options.workload = "point"
    found = rl_step.ours(w, options)
    model = rl_step.model(w)
    body = sum(p.numel() for p in model.parameters()) - model.get_input_embeddings().weight.numel()
    head = w.vocabulary * w.hidden
    rows = w.prompts * w.samples
    sampled = rows * w.completion_tokens
    read = w.prompts * w.prompt_tokens
    work = 2 * (body * (sampled + read) + head * sampled) + 6 * (body * (sampled + read) + head * sampled)
    print(json.dumps(found | {"flop": work, "peak": peak(), "parameters": body + head}))


def peak(product: onednn.Linear = onednn.linear, dtype: torch.dtype = torch.float32) -> float:
    """FLOP/s of a square product on the same threads."""
    a = torch.randn(2048, 2048, dtype=dtype)
    product(a, a)
    best = math.inf
    for _ in range(5):
        started = time.perf_counter()
        product(a, a)
        best = min(best, time.perf_counter() - started)
    return 2 * 2048**3 / best


def main() -> None:
    options = arguments()
    if options.point:
        one_process(options)
        return
    print(
        f"{platform.machine()}, {options.threads} threads, float32, median of {options.steps} steps after "
        f"{rl_step.SKIPPED}"
    )
    torch.set_num_threads(options.threads)
    single, blas, half = peak() / 1e9, peak(linear) / 1e9, peak(linear, torch.bfloat16) / 1e9
    print(f"a square product: {single:.0f} GFLOP/s in float32 (torch's BLAS {blas:.0f}), {half:.0f} in bfloat16")
    for dial in options.only:
        before = None
        for change in DIALS[dial]:
            ((name, value),) = change.items()
            command = [sys.executable, __file__, "--point", json.dumps(asdict(replace(BASE, **change))),
                       "--steps", str(options.steps), "--threads", str(options.threads)]  # fmt: skip
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            one = json.loads(done.stdout.splitlines()[-1])
            at = one["parameters"] if dial == "parameters" else value
            slope = (
                "" if before is None else f"slope {math.log(one['seconds'] / before[1]) / math.log(at / before[0]):.2f}"
            )
            share = one["flop"] / one["seconds"] / one["peak"]
            print(f"{name:<18}{at:>12,}{one['seconds']:8.2f} s a step{one['peak_gb']:7.2f} GB   "
                  f"{share:5.0%} of the peak of {one['peak'] / 1e9:.0f} GFLOP/s   {slope}", flush=True)  # fmt: skip
            before = (at, one["seconds"])


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=DIALS, default=list(DIALS))
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--micro-batch-tokens", type=int, default=4096)
    parser.add_argument("--processes", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--point", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
