"""Pairs judged by a stated principle, in the spirit of PrincipleBench (in arXiv 2509.21319).

Size, construction and scoring rule of PrincipleBench were not found; this construction is ours. From a task whose
principles a program can check, for every held-out prompt a demonstration and its flawed answers give

    for each principle   a pair of which one response fulfils it and the other does not
    one swap             a pair and two principles: P prefers one response, Q the other

A swap is re-ordered rightly if both its questions are answered rightly: a judge that does not read the principle never
does that, since it orders the pair in one way (claim 2 of the paper).
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

from crucible.analysis.statistics import mean_interval, wilson_interval
from crucible.data.split import content_id
from crucible.errors import UserError
from crucible.reward_benchmarks.files import read_rows, refuse_repeated
from crucible.reward_benchmarks.items import Benchmark, Item
from crucible.reward_benchmarks.summary import Row, Summary, combined
from crucible.types import Prompt

OURS = "pairs made by program (ours): PrincipleBench's own construction was not found"


def build(task: Any, *, prompts: int = 128, seed: int = 0) -> Benchmark:
    """From the first `prompts` held-out prompts of a task with principles(), fulfils(), demonstrate(), corrupt().

    At most one pair of a prompt counts for a principle, so the pairs of a principle are independent.
    """
    items: list[Item] = []
    for prompt in list(task.eval_prompts())[:prompts]:
        items += _of_prompt(task, prompt, random.Random(f"principles {seed} {prompt.id}"))
    return Benchmark("principles", items, notes=[OURS])


def _of_prompt(task: Any, prompt: Prompt, rng: random.Random) -> list[Item]:
    kinds = task.corruptions(prompt)
    texts = list(dict.fromkeys([task.demonstrate(prompt, rng), *(task.corrupt(prompt, rng, kind) for kind in kinds)]))
    holds = {t: {p: task.fulfils(prompt, t, p) for p in task.principles()} for t in texts}
    pairs = list(permutations(texts, 2))
    items = []
    for number, principle in enumerate(task.principles()):
        better = [(a, b) for a, b in pairs if holds[a][principle] and not holds[b][principle]]
        if better:
            items.append(Item(f"{prompt.id}/{number}", principle, prompt, rng.choice(better), principle=principle))
    swaps: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for p, q in permutations(task.principles(), 2):
        found = [(a, b) for a, b in pairs if holds[a][p] > holds[b][p] and holds[a][q] < holds[b][q]]
        if found:
            swaps[p, q] = found
    if swaps:
        p, q = rng.choice(list(swaps))
        a, b = rng.choice(swaps[p, q])
        group = f"{prompt.id}/swap"
        items.append(Item(f"{group}/p", p, prompt, (a, b), principle=p, group=group))
        items.append(Item(f"{group}/q", q, prompt, (b, a), principle=q, group=group))
    return items


def load(path: Path) -> Benchmark:
    """Rows with id, prompt, principle, chosen, rejected; two rows with one `swap` are a swap. Errors: UserError."""
    lines, items = read_rows(path), []
    for line in lines:
        prompt, principle = line.text("prompt"), line.text("principle")
        chosen, rejected = line.text("chosen"), line.text("rejected")
        if chosen == rejected:
            raise UserError(f"{line.where}: chosen and rejected are the same text")
        group = line.name("swap") if line.fields.get("swap") not in (None, "") else ""
        of = Prompt(id=content_id("principles", prompt), text=prompt)
        items.append(Item(line.name("id"), principle, of, (chosen, rejected), principle=principle, group=group))
    refuse_repeated(lines, items)
    groups: dict[str, list[int]] = {}
    for number, item in enumerate(items):
        groups.setdefault(item.group, []).append(number)
    for name, members in groups.items():
        if name and not _is_swap([items[i] for i in members]):
            raise UserError(
                f"{lines[members[-1]].where}: swap {name} must be two rows with one prompt, two principles, and chosen "
                "and rejected exchanged"
            )
    return Benchmark("principles", items)


def _is_swap(items: Sequence[Item]) -> bool:
    if len(items) != 2:
        return False
    one, other = items
    return (
        one.prompt.id == other.prompt.id
        and one.principle != other.principle
        and one.responses == (other.responses[1], other.responses[0])
    )


def by_principle_and_swap(
    items: Sequence[Item], right: Sequence[bool]
) -> tuple[dict[str, list[bool]], dict[str, list[bool]]]:
    """Which pairs of each principle were answered rightly, swaps left out; and which questions of each swap."""
    plain, swaps = dict[str, list[bool]](), dict[str, list[bool]]()
    for item, won in zip(items, right, strict=True):
        own = swaps.setdefault(item.group, []) if item.group else plain.setdefault(item.part, [])
        own.append(won)
    return plain, swaps


def summarise(benchmark: Benchmark, right: Mapping[str, bool]) -> Summary:
    """Accuracy for each principle, over pairs that are no swaps; then the swaps."""
    plain, swaps = by_principle_and_swap(benchmark.items, [right[item.id] for item in benchmark.items])
    swaps = {name: both for name, both in swaps.items() if len(both) == 2}  # one of the two may have been left out
    rows = [Row(p, len(own), {"accuracy": wilson_interval(sum(own), len(own))}) for p, own in plain.items()]
    if rows:
        whole = combined([r.cells["accuracy"] for r in rows])
        rows.append(Row("mean over principles", sum(r.n for r in rows), {"accuracy": whole}))
    if swaps:
        reordered = sum(map(all, swaps.values()))
        rows.append(Row("swaps re-ordered rightly", len(swaps), {"accuracy": wilson_interval(reordered, len(swaps))}))
        share = mean_interval([sum(both) / 2 for both in swaps.values()])
        rows.append(Row("questions of swaps", 2 * len(swaps), {"accuracy": share}))
    return Summary(("accuracy",), rows, benchmark.notes, unit="pairs")
