"""Two methods compared over their training seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crucible.analysis.statistics.difference import Difference, paired_test, unpaired_test

Scored = Sequence[tuple[Any, float]]  # (seed, score) of each run


def compare_seeds(a: Scored, b: Scored, *, level: float = 0.95) -> Difference:
    """b - a over runs. Runs of the same seeds are pairs (same prompts in the same order, same start); where the
    seeds are not the same on both sides, or one occurs twice, Welch's test compares them without pairs.
    """
    x, y = dict(a), dict(b)
    if len(x) == len(a) and len(y) == len(b) and set(x) == set(y) and len(x) > 1:
        return paired_test([x[s] for s in x], [y[s] for s in x], unit="seeds", level=level)
    return unpaired_test([v for _, v in a], [v for _, v in b], unit="seeds", level=level)
