"""Where the time of an update goes, with each optimisation switched off and on, and how close it is to the hardware.

    python benchmarks/update_profile.py [--workload a]

One micro-batch of a workload of rl_step.py, forward and backward on one thread, in CPU seconds, which another program
on the machine disturbs little. `plain`: padded rows, every prompt computed for every sample, transformers' norms; then
with model.shared_prompts, then with model.fused_layers too, then with model.onednn. `products`: the matrix products of
linear layers, with the rate they reach beside that of a large square product. `floor`: the whole at the faster of the
two libraries' rates and nothing else, which no rearrangement of the rest can beat.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import linear
from torch.profiler import ProfilerActivity, profile

sys.path.insert(0, str(Path(__file__).resolve().parent))
import rl_step

from crucible.policy import onednn
from crucible.policy.policy import Policy

WAYS = ("shared_prompts", "fused_layers", "onednn")  # switched on one after the other
GROUPS = {
    "products": ("aten::mm", "aten::addmm", "mkldnn::_linear_pointwise"),
    "attention": ("aten::_scaled_dot_product", "aten::bmm", "aten::baddbmm", "aten::_softmax"),
    "moving": ("aten::copy_", "aten::index", "aten::_index_put_impl_", "aten::cat", "aten::gather", "aten::fill_",
               "aten::index_select", "aten::embedding", "aten::scatter", "aten::clone"),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workload", default="a", choices=rl_step.WORKLOADS)
    parser.add_argument("--prompts", type=int, default=4, help="of the micro-batch")
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    w = rl_step.WORKLOADS[options.workload]
    rates = {name: rate_of_a_square_product(product) for name, product in (("BLAS", linear), ("oneDNN", onednn.linear))}
    peak = max(rates.values())
    told = ", ".join(f"{rate / 1e9:.0f} GFLOP/s by {name}" for name, rate in rates.items())
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, one thread, float32; a square "
          f"product: {told}")  # fmt: skip
    policy, update = micro_batch(w, options.prompts)
    body = sum(p.numel() for n, p in policy.model.named_parameters() if p.dim() == 2 and "embed" not in n)
    samples = options.prompts * w.samples
    head = w.vocabulary * w.hidden * samples * w.completion_tokens
    for switched, name in enumerate(("plain", *WAYS)):
        policy.compute_with(**{way: i < switched for i, way in enumerate(WAYS)})
        update()
        seconds = min(timed(update) for _ in range(options.turns))
        prompts = options.prompts if policy.shared_prompts else samples
        tokens = prompts * w.prompt_tokens + samples * (w.completion_tokens - 1)
        flop = 6 * (body * tokens + head)
        shares = profiled(update)
        parts = "  ".join(f"{part} {share:4.0%}" for part, share in shares.items())
        print(f"{name:<15}{seconds:6.3f} s  {parts}   products at {flop / (seconds * shares['products']) / 1e9:4.0f} "
              f"GFLOP/s, floor {flop / peak:.3f} s = {flop / peak / seconds:.0%}")  # fmt: skip


def micro_batch(w: rl_step.Workload, prompts: int) -> tuple[Policy, Callable[[], None]]:
    model = rl_step.model(w)
    policy = Policy(model, rl_step.tokenizer(w), chat=False)
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(4, w.vocabulary, (prompts, w.prompt_tokens), generator=generator)
    ids = ids.repeat_interleave(w.samples, 0)
    completions = torch.randint(4, w.vocabulary, (len(ids), w.completion_tokens), generator=generator)
    mask = torch.ones(completions.shape)

    def update() -> None:
        policy.model.zero_grad()
        stats = policy.token_stats(ids, torch.ones_like(ids), completions, mask)
        stats.logps.mean().backward()

    return policy, update


def timed(do: Callable[[], Any]) -> float:
    started = time.process_time()
    do()
    return time.process_time() - started


def profiled(update: Callable[[], None]) -> dict[str, float]:
    """The share of each group of operations in the time of them all."""
    with profile(activities=[ProfilerActivity.CPU]) as found:
        update()
    spent = {name: 0.0 for name in (*GROUPS, "rest")}
    for event in found.key_averages():
        group = next((g for g, names in GROUPS.items() if event.key.startswith(names)), "rest")
        spent[group] += event.self_cpu_time_total
    total = sum(spent.values())
    return {name: value / total for name, value in spent.items()}


def rate_of_a_square_product(product: onednn.Linear) -> float:
    """FLOP a second of one thread."""
    a = torch.randn(1536, 1536)
    product(a, a)
    return 2 * 1536**3 / min(timed(lambda: product(a, a)) for _ in range(5))


if __name__ == "__main__":
    main()
