"""Microseconds of every policy loss, forward and backward, beside TRL's where there is one; and of every advantage.

    python benchmarks/objectives.py                            # (N, T) = (1024, 1024)
    python benchmarks/objectives.py --rows 64 --tokens 128 --repeats 3 --only ppo_clip gspo group_norm

Each call of a loss is the loss, its aggregation and the backward pass to the log-probs, in float32 on the CPU, with
what each side logs (our diagnostics, TRL's metrics). Processor time on one thread, so other work on the machine counts
little; medians of the repeats, ours and TRL's calls alternate. ratio is ours / TRL's, below 1 where ours is faster.
An advantage has no gradient; its rewards are 0 and 1 in groups of 8, its time is for all rows of a rollout step.
Nothing here is asserted.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests" / "algorithms")]

import torch  # noqa: E402
from loss_cases import LOSS_FILES, batch, built, function, totals  # noqa: E402
from rollout_cases import apply, case, methods  # noqa: E402
from trl_losses import gmpo_loss, grpo_loss, known  # noqa: E402

from crucible.algorithms import aggregation  # noqa: E402
from crucible.algorithms.given import call  # noqa: E402
from crucible.config.needs import ATTRIBUTE  # noqa: E402

GROUP = 8
ADVANTAGES = methods("algo/advantage")
SEQUENCE = {"importance_sampling_level": "sequence"}
THEIRS = {
    "ppo_clip": (grpo_loss, {"loss_type": "dapo"}),
    "clip_higher": (grpo_loss, {"loss_type": "dapo", "epsilon_high": 0.28}),
    "two_sided_clip": (grpo_loss, {"loss_type": "dapo", "delta": 4.0}),
    "cispo_scalerl": (grpo_loss, {"loss_type": "cispo", "epsilon_high": 5.0}),
    "sapo_soft_gate": (grpo_loss, {"loss_type": "sapo"}),
    "vespo": (grpo_loss, {"loss_type": "vespo"}),
    "gspo": (grpo_loss, {"loss_type": "grpo", "epsilon_low": 3e-4, "epsilon_high": 4e-4, **SEQUENCE}),
    "luspo": (grpo_loss, {"loss_type": "luspo", "epsilon_low": 2e-3, "epsilon_high": 2.5e-3, **SEQUENCE}),
    "gmpo": (gmpo_loss, {"epsilon_low": 0.4, "epsilon_high": 0.4}),
}


def medians(repeats: int, *calls: Callable[[], None]) -> list[float]:
    """Median microseconds of each call; they take turns, after one round that is not counted."""
    spent: list[list[float]] = [[] for _ in calls]
    for turn in range(repeats + 1):
        for one, times in zip(calls, spent, strict=True):
            started = time.process_time()
            one()
            if turn:
                times.append(1e6 * (time.process_time() - started))
    return [statistics.median(times) for times in spent]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1024)
    parser.add_argument("--tokens", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=5)
    every = [*LOSS_FILES, *ADVANTAGES]
    parser.add_argument("--only", nargs="*", default=every, choices=sorted(set(every)), metavar="METHOD")
    options = parser.parse_args()
    torch.set_num_threads(1)
    losses([name for name in LOSS_FILES if name in options.only], options)
    advantages([name for name in ADVANTAGES if name in options.only], options)


def advantages(chosen: list[str], options: argparse.Namespace) -> None:
    sizes = [GROUP] * math.ceil(options.rows / GROUP)
    given = case(0, sizes=sizes, width=options.tokens, dtype=torch.float32)
    print(f"{'advantage':<30}{'crucible us':>14}")
    for name in chosen:
        (spent,) = medians(options.repeats, lambda name=name: apply("algo/advantage", name, given))
        print(f"{name:<30}{spent:>14.0f}", flush=True)


def losses(chosen: list[str], options: argparse.Namespace) -> None:
    sizes = [GROUP] * math.ceil(options.rows / GROUP)
    given = batch(0, groups=sizes, width=options.tokens, dtype=torch.float32)
    mask, old = given["mask"], given["old_logps"]
    of_step, with_trl = totals(mask, options.tokens), known()
    print(f"(N, T) = {tuple(mask.shape)}, one thread, median of {options.repeats}")
    print(f"{'loss':<20}{'crucible us':>14}{'TRL us':>14}{'ratio':>8}")
    for name in chosen:
        loss = built(name)
        wanted = getattr(function(loss), ATTRIBUTE, {}).get("aggregation", ["token_mean"])
        way = wanted[1] if name == "luspo" else wanted[0]
        aggregate = getattr(__import__(f"{aggregation.__name__}.{way}", fromlist=[way]), way)
        leaf = given["logps"].clone().requires_grad_()

        def ours(loss=loss, aggregate=aggregate, leaf=leaf) -> None:
            leaf.grad = None
            aggregate(call(loss, given, logps=leaf).per_token, mask, of_step).backward()

        calls = [ours]
        if with_trl and name in THEIRS:
            theirs, settings = THEIRS[name]

            def trl(theirs=theirs, settings=settings, leaf=leaf) -> None:
                leaf.grad = None
                theirs(leaf, old, given["advantages"][:, 0], mask, **settings).backward()

            calls.append(trl)
        first, *second = medians(options.repeats, *calls)
        beside = f"{second[0]:>14.0f}{first / second[0]:>8.2f}" if second else f"{'-':>14}{'-':>8}"
        print(f"{name:<20}{first:>14.0f}{beside}", flush=True)


if __name__ == "__main__":
    main()
