"""Tokens per second of the embedded rollout engine and of transformers.generate, side by side.

    python benchmarks/rollout_vs_generate.py [--prompts 32] [--samples 8] [--tokens 30] [--ends]

Same model, weights, prompts, number of tokens, threads and dtype; the two take turns in one process
and the medians are compared. Without `--ends` no token ends a completion, so both sides produce exactly
prompts x samples x tokens; with it, about one completion in 15 ends at each token (a long tail of
lengths) and only tokens up to the end are counted, on both sides. Before any timing the greedy tokens
of both sides must be equal.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import statistics
import time

import torch
from transformers import GenerationConfig

from crucible.policy.policy import Policy
from crucible.policy.tiny import untrained
from crucible.rollout.embedded import EmbeddedEngine
from crucible.types import Prompt, Sampling

NEVER = 10_000  # an id outside the vocabulary: nothing ends a completion


class Endless(Policy):
    @property
    def eos_ids(self) -> tuple[int, ...]:
        return (NEVER,)


def main() -> None:
    options = arguments()
    torch.set_num_threads(options.threads)
    policy = model(options)
    prompts = make_prompts(options)
    check_greedy(policy, prompts, options)
    sides = {
        "transformers.generate": lambda seed: theirs(policy, prompts, options, seed),
        "crucible embedded": lambda seed: ours(policy, prompts, options, seed),
    }
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(options.turns + 1):
        for name, side in sides.items():
            started = time.perf_counter()
            tokens = side(turn)
            if turn:  # the first turn of each is a warm-up
                rates[name].append(tokens / (time.perf_counter() - started))
    show(policy, options, rates)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prompts", type=int, default=32)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--prompt-tokens", type=int, default=9)
    parser.add_argument("--tokens", type=int, default=30, help="completion tokens")
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--turns", type=int, default=5, help="timed turns of each side")
    parser.add_argument("--mixed", action="store_true", help="prompts of different lengths")
    parser.add_argument("--ends", action="store_true", help="completions may end early")
    return parser.parse_args()


def model(options: argparse.Namespace) -> Policy:
    policy = untrained(
        hidden_size=options.hidden,
        layers=options.layers,
        intermediate_size=3 * options.hidden,
        context_length=options.prompt_tokens + options.tokens + 8,
    )
    policy.model.eval()
    ends: int | list[int] = list(range(6, 102, 14)) if options.ends else NEVER
    policy.model.generation_config = GenerationConfig(eos_token_id=ends, pad_token_id=policy.pad_id)
    return policy if options.ends else Endless(policy.model, policy.tokenizer)


def make_prompts(options: argparse.Namespace) -> list[Prompt]:
    rng = random.Random(0)
    shortest = max(1, options.prompt_tokens // 2) if options.mixed else options.prompt_tokens
    lengths = [rng.randint(shortest, options.prompt_tokens) - 1 for _ in range(options.prompts)]
    return [Prompt(str(i), "".join(rng.choices("0123456789+-=", k=n))) for i, n in enumerate(lengths)]


def ours(policy: Policy, prompts: list[Prompt], options: argparse.Namespace, seed: int) -> int:
    engine = EmbeddedEngine(policy, max_rows=options.prompts * options.samples)
    out = engine.generate(prompts, options.samples, Sampling(max_tokens=options.tokens, seed=seed))
    return int(out.mask.sum())


def theirs(policy: Policy, prompts: list[Prompt], options: argparse.Namespace, seed: int) -> int:
    torch.manual_seed(seed)
    ids, mask = policy.encode(prompts)
    out = policy.model.generate(
        input_ids=ids,
        attention_mask=mask,
        do_sample=True,
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        max_new_tokens=options.tokens,
        num_return_sequences=options.samples,
    )[:, ids.shape[1] :]
    ended = torch.isin(out, torch.tensor(policy.eos_ids)).long().cumsum(1)
    counted = (ended == 0).sum(1) + (ended > 0).any(1)
    return int(counted.sum())


def check_greedy(policy: Policy, prompts: list[Prompt], options: argparse.Namespace) -> None:
    ids, mask = policy.encode(prompts)
    expected = policy.model.generate(
        input_ids=ids, attention_mask=mask, do_sample=False, max_new_tokens=options.tokens
    )[:, ids.shape[1] :]
    got = EmbeddedEngine(policy).generate(prompts, 1, Sampling(max_tokens=options.tokens, temperature=0.0))
    if not torch.equal(got.completion_ids, expected):
        raise SystemExit("the two sides disagree on greedy tokens: no timing")


def show(policy: Policy, options: argparse.Namespace, rates: dict[str, list[float]]) -> None:
    size = sum(p.numel() for p in policy.model.parameters())
    print(
        f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}, {os.cpu_count()} cores, load "
        f"{os.getloadavg()[0]:.1f}, {options.threads} threads, torch {torch.__version__}, float32"
    )
    print(
        f"{size / 1e6:.2f} M parameters, {options.prompts} prompts x {options.samples} samples, "
        f"{options.prompt_tokens} prompt tokens{' at most' if options.mixed else ''}, "
        f"{options.tokens} completion tokens{' at most' if options.ends else ''}"
    )
    for name, values in rates.items():
        print(f"{name:>22}: {statistics.median(values):8.0f} tokens/s  ({min(values):.0f} to {max(values):.0f})")
    base, fast = (statistics.median(values) for values in rates.values())
    print(f"{'ratio':>22}: {fast / base:8.2f}")


if __name__ == "__main__":
    main()
