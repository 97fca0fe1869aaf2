"""Rewards per second: the runtime's two workers, the same function in this process, and TRL's accuracy reward.

    python benchmarks/rewards.py [--rows 2000] [--heavy-rows 400]

Cheap: a number at the end of a text (reward=gsm8k). Heavy: symbolic equality (reward=math_verify), which is what TRL's
reward computes too. All sides score the same rows, in turn, in one run; their values must be equal before anything is
timed. Last, what one stuck answer among them costs. Nothing is asserted about speed.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from crucible.rewards.base import PerSample
from crucible.rewards.gsm8k import gsm8k
from crucible.rewards.math_verify import math_verify
from crucible.rewards.runtime.runtime import Runtime
from crucible.types import Completion, Prompt

TURNS = 3
Row = tuple[Prompt, Completion]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--heavy-rows", type=int, default=400)
    options = parser.parse_args()
    runtime = Runtime(workers=2)
    print(f"{platform.machine()}, {os.cpu_count()} cores, two workers; median of {TURNS} turns, each side in its turn")
    cheap, heavy = arithmetic(options.rows), equations(options.heavy_rows)
    ours, here = through(gsm8k(reward_runtime=runtime)), through(gsm8k())
    compare("cheap: gsm8k", cheap, {"runtime": ours, "in this process": here})
    ours, here = through(math_verify(reward_runtime=runtime)), through(math_verify())
    compare("heavy: math_verify", heavy, {"runtime": ours, "in this process": here, "TRL accuracy_reward": theirs})
    stuck(cheap[:500])
    runtime.close()


def compare(title: str, rows: Sequence[Row], sides: dict[str, Callable[[Sequence[Row]], list[float]]]) -> None:
    values = {name: side(rows) for name, side in sides.items()}  # a warm-up, too
    first = values["runtime"]
    for name, found in values.items():
        different = [i for i, (a, b) in enumerate(zip(first, found, strict=True)) if a != b]
        if different:
            raise SystemExit(f"{title}: {name} differs from the runtime on {len(different)} rows, first {different[0]}")
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(TURNS):
        for name, side in sides.items():
            started = time.perf_counter()
            side(rows)
            rates[name].append(len(rows) / (time.perf_counter() - started))
    print(f"\n{title}, {len(rows)} rows, {sum(first) / len(first):.0%} right")
    ours = statistics.median(rates["runtime"])
    for name, measured in rates.items():
        median = statistics.median(measured)
        print(f"  {name:<22}{median:>10,.0f}/s   runtime is {ours / median:5.2f} x")


def through(reward: PerSample) -> Callable[[Sequence[Row]], list[float]]:
    def score(rows: Sequence[Row]) -> list[float]:
        outcomes = reward.outcomes([p for p, _ in rows], [c for _, c in rows])
        wrong = next((o for o in outcomes if o.kind != "value"), None)
        if wrong is not None:
            raise SystemExit(f"a call ended in {wrong.kind}: {wrong.problem}")
        return [o.value for o in outcomes]

    return score


def theirs(rows: Sequence[Row]) -> list[float]:
    from trl.rewards import accuracy_reward

    completions = [[{"role": "assistant", "content": c.text}] for _, c in rows]
    return accuracy_reward(completions, [f"${p.reference['answer']}$" for p, _ in rows])


def stuck(rows: Sequence[Row]) -> None:
    """The same rows with and without one answer that never ends."""
    runtime, function = Runtime(workers=2, timeout=1.0), f"{Path(__file__).stem}:stuck_on"
    runtime.call(function, {"row": ""}, rows)
    print(f"\n{len(rows)} trivial rows with a time limit of 1 s")
    for name, row in {"all end": "", "one never ends": "250"}.items():
        started = time.perf_counter()
        outcomes = runtime.call(function, {"row": row}, rows)
        values = sum(o.kind == "value" for o in outcomes)
        print(f"  {name:<16}{time.perf_counter() - started:6.2f} s: {values} values, {len(rows) - values} time-outs")
    runtime.close()


def stuck_on(prompt: Prompt, completion: Completion, *, row: str) -> float:
    while prompt.id == row:
        pass
    return 1.0


def arithmetic(n: int) -> list[Row]:
    rng, rows = random.Random(0), []
    for i in range(n):
        a, b = rng.randrange(1000), rng.randrange(1000)
        said = a + b + (rng.random() < 0.5)
        words = " ".join(f"step {k}: {rng.randrange(100)} and so on," for k in range(20))
        rows.append((Prompt(str(i), reference={"answer": str(a + b)}), Completion(f"{words} #### {said}", 200)))
    return rows


def equations(n: int) -> list[Row]:
    rng, rows = random.Random(0), []
    for i in range(n):
        a, b, c = (rng.randrange(2, 50) for _ in range(3))
        gold = [rf"\frac{{{a}}}{{{b}}}", rf"{a}\sqrt{{{b}}}", rf"x^2 + {a}x + {b}", str(a * b)][i % 4]
        said = [rf"\frac{{{a * c}}}{{{b * c}}}", rf"\sqrt{{{a * a * b}}}", rf"{b} + x(x + {a})", str(a * b)][i % 4]
        wrong = rng.random() < 0.5
        text = rf"We compute and find that the answer is $\boxed{{{said + (' + 1' if wrong else '')}}}$."
        rows.append((Prompt(str(i), reference={"answer": gold}), Completion(text, 40)))
    return rows


if __name__ == "__main__":
    main()
