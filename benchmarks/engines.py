"""Tokens per second of the three rollout engines, as a run uses them: sampling with log-probs, and a sync before it.

    python benchmarks/engines.py [--rows 64] [--tokens 64] [--turns 3]

On the same policy (Qwen3 shape, random weights), prompts and temperature; rows are completions, 8 of each prompt.
Nothing ends a completion, so each side makes rows x tokens tokens. `CPU s`: of all processes that take part, which a
busy machine stretches less than the clock. `sync`: seconds from changed weights to the first token of one row.
Without vLLM (`make setup-vllm VENV=.venv-vllm`, then its Python) only the embedded engine is timed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from crucible.policy.policy import Policy
from crucible.policy.tiny import untrained
from crucible.rollout.embedded import EmbeddedEngine
from crucible.types import Prompt, Sampling

SAMPLES = 8


class Endless(Policy):
    """No token ends a completion."""

    @property
    def eos_ids(self) -> tuple[int, ...]:
        return (-1,)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    made = untrained(context_length=256)
    policy = Endless(made.model.eval(), made.tokenizer)
    size = sum(p.numel() for p in policy.model.parameters())
    print(f"{size / 1e6:.2f} M parameters, {options.rows} rows of {options.tokens} tokens, "
          f"{torch.get_num_threads()} threads, best of {options.turns}")  # fmt: skip
    print(f"{'engine':<14}{'tokens/s':>10}{'tokens/CPU s':>14}{'sync, s':>10}{'start, s':>10}")
    with tempfile.TemporaryDirectory() as folder:
        for name in ("embedded", *(("vllm", "vllm_server") if find_spec("vllm") else ())):
            started = time.perf_counter()
            engine = make(name, policy, folder)
            ready = time.perf_counter() - started
            rate, by_cpu, sync = measure(engine, options)
            print(f"{name:<14}{rate:>10.0f}{by_cpu:>14.0f}{sync:>10.3f}{ready:>10.1f}", flush=True)
            if name == "vllm_server":
                engine.stop()
    if not find_spec("vllm"):
        print("vllm, vllm_server: not timed, vLLM is not installed here")


def make(name: str, policy: Policy, folder: str) -> Any:
    if name == "embedded":
        return EmbeddedEngine(policy)
    if name == "vllm":
        from crucible.rollout.vllm.in_process import VLLMEngine

        return VLLMEngine(policy, report=lambda line: None, max_rows=512)
    from crucible.rollout.vllm.server import VLLMServerEngine

    return VLLMServerEngine(policy, report=lambda line: None, run_dir=SimpleNamespace(path=Path(folder)), max_rows=512)


def measure(engine: Any, options: argparse.Namespace) -> tuple[float, float, float]:
    prompts = [Prompt(str(i), f"{i}+{i + 1}-{i % 7}*2=") for i in range(max(1, options.rows // SAMPLES))]
    rates, by_cpu, syncs = [], [], []
    engine.generate(prompts, SAMPLES, Sampling(max_tokens=options.tokens, seed=0))  # warm
    for turn in range(1, options.turns + 1):
        engine.sync(turn)
        started = time.perf_counter()
        engine.generate(prompts[:1], 1, Sampling(max_tokens=1, seed=turn))
        syncs.append(time.perf_counter() - started)
        started, spent = time.perf_counter(), cpu_seconds(engine)
        out = engine.generate(prompts, SAMPLES, Sampling(max_tokens=options.tokens, seed=turn))
        tokens = float(out.mask.sum())
        rates.append(tokens / (time.perf_counter() - started))
        by_cpu.append(tokens / (cpu_seconds(engine) - spent))
    return max(rates), max(by_cpu), min(syncs)


def cpu_seconds(engine: Any) -> float:
    """Of this process, and of the session of the server where the engine has started one."""
    total = time.process_time()
    if getattr(engine, "child", None) is not None:
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = stat.read_text().rpartition(")")[2].split()
                if int(fields[3]) == engine.child.pid:
                    total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


if __name__ == "__main__":
    main()
