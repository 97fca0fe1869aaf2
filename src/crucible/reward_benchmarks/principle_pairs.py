"""The pairs of `evaluate_rm.py benchmark=principles` as measures of a run that trains a reward model.

Every pair is asked under its own principle, so models that answer at once, that write first and that read no principle
have the same measure.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from crucible.reward_benchmarks.items import Item
from crucible.reward_benchmarks.principles import build, by_principle_and_swap

if TYPE_CHECKING:
    from torch import Tensor


def longest(task: Any) -> int:
    """Characters of a response that is measured at most: twice the longest demonstration. What the corruptions ramble
    beyond that, with a proofreader's marks, need not fit the context of a model that learned from shorter ones."""
    return 2 * max(len(task.demonstrate(p, random.Random(f"longest {p.id}"))) for p in task.eval_prompts())


def pairs(task: Any, prompts: int | None = None) -> list[Item]:
    """At most one for each of the first `prompts` evaluation prompts (None: all) and each principle, and one swap (two
    items); always the same. Without those of a response above `longest`. `responses` begin with the one that fulfils
    the item's principle."""
    most = longest(task)
    found = build(task, prompts=len(task.eval_prompts()) if prompts is None else prompts).items
    return [item for item in found if max(map(len, item.responses)) <= most]


def measures(items: Sequence[Item], r: Tensor) -> dict[str, float]:
    """From r (I, 2) of the two responses of each item, each under the item's principle; NaN where r could not be read.

    `rm/principle_pairs/<p>`: the share of its pairs whose first response has the higher r; `rm/swap_reordered`: of
    swaps, both questions answered rightly, which a model that reads no principle never does; `rm/swap_accuracy`: the
    share of the questions that are. A tie is not right, and neither is a pair with an r that could not be read.
    """
    plain, swaps = by_principle_and_swap(items, (r[:, 0] > r[:, 1]).tolist())
    out = {f"rm/principle_pairs/{p}": sum(own) / len(own) for p, own in plain.items()}
    if swaps:
        out["rm/swap_reordered"] = sum(map(all, swaps.values())) / len(swaps)
        out["rm/swap_accuracy"] = sum(map(sum, swaps.values())) / (2 * len(swaps))
    return out
