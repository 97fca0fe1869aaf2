"""Log-probs of chosen tokens and exact entropies behind a large vocabulary: seconds and memory, value and gradient.

    python benchmarks/logprobs.py [--vocabulary 32768 151936] [--tokens 2048] [--width 512]

ours     `token_stats.selected_stats`: logits in tiles, never all at once
naive    one log_softmax of all logits
trl      trl.trainer.utils.selective_log_softmax and entropy_from_logits on all logits, as GRPOTrainer calls them

Each side is a process of its own per turn, the sides take turns, medians of the turns are printed; memory is the peak
of the process above what it had before the first call. Before any timing the values and gradients are compared.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402

SIDES = ("ours", "naive", "trl")
SAME = ("tokens", "width", "threads")  # options every side gets
Side = Callable[[Tensor, Tensor, nn.Linear], tuple[Tensor, Tensor]]


def ours(hidden: Tensor, targets: Tensor, head: nn.Linear) -> tuple[Tensor, Tensor]:
    from crucible.policy.token_stats import selected_stats

    return selected_stats(hidden, targets, head, vocabulary=head.out_features)  # type: ignore[return-value]


def naive(hidden: Tensor, targets: Tensor, head: nn.Linear) -> tuple[Tensor, Tensor]:
    log_probs = head(hidden).log_softmax(-1)
    fixed = log_probs.detach()
    return log_probs.gather(-1, targets[:, None]).squeeze(-1), -(fixed.exp() * fixed).sum(-1)


def trl(hidden: Tensor, targets: Tensor, head: nn.Linear) -> tuple[Tensor, Tensor]:
    from trl.trainer.utils import entropy_from_logits, selective_log_softmax

    logits = head(hidden)
    with torch.no_grad():
        entropy = entropy_from_logits(logits)
    return selective_log_softmax(logits, targets), entropy


def case(options: argparse.Namespace, vocabulary: int) -> tuple[Tensor, Tensor, nn.Linear, Tensor]:
    torch.manual_seed(0)
    head = nn.Linear(options.width, vocabulary, bias=False)
    hidden = torch.randn(options.tokens, options.width).requires_grad_()
    return hidden, torch.randint(0, vocabulary, (options.tokens,)), head, torch.randn(options.tokens)


def results(side: Side, hidden: Tensor, targets: Tensor, head: nn.Linear, weights: Tensor) -> tuple[Tensor, ...]:
    from crucible.policy.onednn import use_onednn

    use_onednn(head, on=side is ours)  # as a policy does
    hidden.grad = head.weight.grad = None
    logps, entropy = side(hidden, targets, head)
    (logps * weights).sum().backward()
    assert hidden.grad is not None
    assert head.weight.grad is not None
    return logps.detach(), entropy.detach(), hidden.grad, head.weight.grad


def one_process(options: argparse.Namespace) -> None:
    torch.set_num_threads(options.threads)
    given = case(options, options.vocabulary[0])
    side: Side = globals()[options.side]
    if options.side == "trl":
        import trl.trainer.utils  # noqa: F401
    before = peak_mib()
    times = []
    for _ in range(3):
        started = time.perf_counter()
        results(side, *given)
        times.append(time.perf_counter() - started)
    print(json.dumps({"seconds": min(times), "mib": peak_mib() - before}))


def peak_mib() -> float:
    """Of this process alone (ru_maxrss would begin with its parent's)."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return float(status["VmHWM"].split()[0]) / 1024


def differences(options: argparse.Namespace, vocabulary: int) -> list[float]:
    """Largest difference of log-prob, entropy and both gradients from the naive ones, over the largest value."""
    given = case(options, vocabulary)
    right = [value.clone() for value in results(naive, *given)]
    found = []
    for name in ("ours", "trl"):
        got = results(globals()[name], *given)
        found.append(max(float((a - b).abs().max() / b.abs().max()) for a, b in zip(got, right, strict=True)))
    return found


def main() -> None:
    options = arguments()
    if options.side:
        one_process(options)
        return
    print(f"{platform.machine()}, {options.threads} threads, float32, torch {torch.__version__}; "
          f"{options.tokens} tokens, hidden width {options.width}, forward and backward")  # fmt: skip
    for vocabulary in options.vocabulary:
        off = differences(options, vocabulary)
        found: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
        for _ in range(options.turns):
            for side in SIDES:
                dials = {"side": side, "vocabulary": vocabulary, **{k: vars(options)[k] for k in SAME}}
                command = [sys.executable, __file__, *(f"--{key}={value}" for key, value in dials.items())]
                done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                found[side].append(json.loads(done.stdout.splitlines()[-1]))
        print(f"vocabulary {vocabulary:,}: largest relative difference from naive, ours {off[0]:.0e}, trl {off[1]:.0e}")
        medians = {
            side: {key: statistics.median(one[key] for one in runs) for key in runs[0]} for side, runs in found.items()
        }
        mine = medians["ours"]
        for side, one in medians.items():
            faster, memory = one["seconds"] / mine["seconds"], mine["mib"] / one["mib"]
            print(
                f"  {side:<6}{one['seconds']:8.2f} s{one['mib']:8.0f} MiB   ours: {faster:.2f} x as fast, "
                f"{memory:.2f} of the memory",
                flush=True,
            )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vocabulary", type=int, nargs="+", default=[32_768, 151_936])
    parser.add_argument("--tokens", type=int, default=2048)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
