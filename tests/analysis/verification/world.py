"""Verdicts for tests: random ones, and those of a small world with a known verifier."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

OUTCOMES = ("passed", "failed", "error", "timeout")


def random_rows(
    seed: int, problems: int = 25, suites: Sequence[str] = ("weak", "strong"), **more: Any
) -> list[dict[str, Any]]:
    """Every kind of row: without tests, gold or judge too."""
    rng = random.Random(seed)
    rows = []
    for p in range(problems):
        difficulty, tests = rng.randint(1, 3), {suite: rng.randint(0, 4) for suite in suites}
        for s in range(rng.randint(1, 6)):
            gold, judge = rng.choice([True, True, False, None]), rng.choice([None, round(rng.random(), 2), 0.5])
            for suite in suites:
                outcomes = [rng.choice(OUTCOMES[: 2 + (not gold)]) for _ in range(tests[suite])]
                v = outcomes.count("passed") / len(outcomes) if outcomes else None
                rows.append(
                    {"problem": f"p{p}", "solution": f"p{p}/{s}", "difficulty": difficulty, "suite": suite,
                     "outcomes": outcomes, "v": v, "gold": gold, "gold_outcomes": None, "judge": judge,
                     "form": f"form {rng.randint(0, 2)}", "kind": None, "seconds": 0.01} | more
                )  # fmt: skip
    return rows


def write(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def pipeline(folder: Path, seed: int = 3) -> Path:
    """A directory as a pipeline leaves it: problems, solutions, suites with a wrong test, verdicts in two shards."""
    rng = random.Random(seed)
    verdicts: list[dict[str, Any]] = []
    problems, solutions, suites = [], [], []
    for p in range(12):
        difficulty = 1 + p % 3
        problems.append({"problem": f"p{p}", "prompt": f"add {p}\n", "difficulty": difficulty, "entry_point": "f"})
        wrong = [False, False, p % 4 == 0]
        tests = [f"assert f({i}) == {i + p + bad}" for i, bad in enumerate(wrong)]
        suites.append({"problem": f"p{p}", "suite": "minimal-3", "strategy": "minimal", "tests": tests, "wrong": wrong})
        for s in range(6):
            gold = rng.random() < 0.8 - 0.2 * difficulty
            outcomes = ["passed" if gold != bad or (not gold and rng.random() < 0.4) else "failed" for bad in wrong]
            name = f"p{p}/{s}"
            solutions.append({"problem": f"p{p}", "solution": name, "completion": f"def f(x): return x + {p}  # {s}"})
            verdicts.append(
                {"problem": f"p{p}", "solution": name, "difficulty": difficulty, "suite": "minimal-3",
                 "outcomes": outcomes, "v": outcomes.count("passed") / 3, "gold": gold, "form": f"form {s % 2}",
                 "kind": "correct" if gold else "near", "judge": 0.9 if gold else round(rng.random(), 2)}
            )  # fmt: skip
    write(folder / "problems.jsonl", problems)
    write(folder / "solutions.jsonl", solutions)
    write(folder / "suites.jsonl", suites)
    write(folder / "verdicts-0.jsonl", verdicts[::2])
    write(folder / "verdicts-1.jsonl", verdicts[1::2])
    return folder
