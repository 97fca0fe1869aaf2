"""Scores of a principle-conditioned reward model per second: all principles in one pass, against one pass for each.

    python benchmarks/rm_scores.py [--responses 256] [--principles 6] [--hidden-size 128] [--layers 4]

The same model (random weights), the same responses (worked sums, flawed ones, four to a prompt) and the same principles
on both sides, in turn, in one run. In one pass a row is prompt, response and all questions, each of which sees prompt,
response and itself; with one pass for each, prompt and response are read once a principle. The scores must agree before
anything is timed. Nothing is asserted about speed.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import statistics
import time
from collections.abc import Callable
from itertools import islice

import torch
from torch import Tensor

from crucible.data.chain import Chain
from crucible.feedback.extract import wordings
from crucible.modules.rm_scorer import Judge, teach_words
from crucible.policy.tiny import untrained

TURNS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--responses", type=int, default=256)
    parser.add_argument("--principles", type=int, default=6)
    parser.add_argument("--hidden-size", type=int, default=128)
    parser.add_argument("--layers", type=int, default=4)
    options = parser.parse_args()
    task = Chain(terms=6)
    principles = list(task.principles())[: options.principles]
    policy = untrained(
        hidden_size=options.hidden_size, layers=options.layers, intermediate_size=3 * options.hidden_size,
        context_length=256,
    )  # fmt: skip
    teach_words(policy, [word for p in task.principles() for word in wordings(p)])
    judge, rng = Judge(policy), random.Random(0)
    prompts = [p for p in islice(task.train_prompts(rng), -(-options.responses // 4)) for _ in range(4)]
    prompts = prompts[: options.responses]
    texts = [(task.corrupt if i % 2 else task.demonstrate)(p, rng) for i, p in enumerate(prompts)]

    def together() -> Tensor:
        return judge.score(prompts, texts, principles)

    def apart() -> Tensor:
        return torch.cat([judge.score(prompts, texts, [p]) for p in principles], 1)

    sides: dict[str, Callable[[], Tensor]] = {"one pass, shared prefix": together, "one pass a principle": apart}
    first, second = (side() for side in sides.values())  # a warm-up, too
    furthest = (first - second).abs().max().item()
    if furthest > 1e-3:
        raise SystemExit(f"the two sides differ by {furthest:.2g}")
    rows = judge.rows(prompts, texts, [principles] * len(texts))
    prefix = statistics.mean(len(row.prefix) for row in rows)
    question = statistics.mean(len(q) for row in rows for q in row.questions)
    print(f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads; median of {TURNS} turns")
    print(
        f"{sum(p.numel() for p in policy.model.parameters()):,} parameters, {len(texts)} responses x {len(principles)} "
        f"principles; {prefix:.0f} tokens of prompt and response, {question:.1f} of a question; scores agree to "
        f"{furthest:.1e}"
    )
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(TURNS):
        for name, side in sides.items():
            started = time.perf_counter()
            side()
            seconds[name].append(time.perf_counter() - started)
    medians = {name: statistics.median(found) for name, found in seconds.items()}
    for name, value in medians.items():
        print(f"  {name:<26}{len(texts) * len(principles) / value:>10,.0f} scores/s")
    shared, alone = medians.values()
    print(f"  ratio {alone / shared:.2f} (above 1: the shared prefix is faster)")


if __name__ == "__main__":
    main()
