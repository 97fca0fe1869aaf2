"""Which side of the split an item is on: a hash of its content decides, never a seed.

A generator with a seed per split repeats items across splits as soon as its space is small. Here each
item is on one side for good, so training cannot meet an evaluation item whatever the seeds and dials.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Literal

from crucible.errors import UserError
from crucible.types import Prompt

Side = Literal["train", "eval"]
Draw = Callable[[random.Random], tuple[str, Prompt]]
"""Draws an item: (split key, prompt). Items with one key are on one side."""

_PATIENCE = 20_000  # draws in a row without a new item of the wanted side


def content_id(family: str, canonical: str) -> str:
    """16 hex digits: a hash of the family and of the item's canonical content."""
    data = f"{family}\x1f{canonical}".encode("utf-8", "surrogatepass")
    return blake2b(data, digest_size=8).hexdigest()


def split_of(key: str, eval_share: float) -> Side:
    """The side of the item with this key; `eval_share` of all keys are for evaluation.

    Raising `eval_share` moves items from train to eval and none the other way.
    """
    digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8, person=b"crucible-split").digest()
    return "eval" if int.from_bytes(digest, "big") < eval_share * 2**64 else "train"


def training(draw: Draw, rng: random.Random, *, eval_share: float, task: str) -> Iterator[Prompt]:
    """Training items for ever, in an order that depends on `rng` alone."""
    rejected = 0
    while True:
        key, prompt = draw(rng)
        if split_of(key, eval_share) == "train":
            rejected = 0
            yield prompt
            continue
        rejected += 1
        if rejected >= _PATIENCE:
            raise UserError(
                f"data={task}: every item these dials allow is kept for evaluation; "
                "make the space larger or eval_share smaller"
            )


def held_out(draw: Draw, count: int, *, eval_share: float, task: str) -> tuple[Prompt, ...]:
    """`count` different evaluation items, the same in every run (they depend on the dials alone)."""
    rng = random.Random(f"{task}: evaluation items")
    found: dict[str, Prompt] = {}
    idle = 0
    while len(found) < count:
        key, prompt = draw(rng)
        if split_of(key, eval_share) == "eval" and prompt.id not in found:
            found[prompt.id] = prompt
            idle = 0
            continue
        idle += 1
        if idle >= _PATIENCE:
            raise UserError(
                f"data={task}: only {len(found)} evaluation items exist with these dials, eval_prompts is "
                f"{count}; lower eval_prompts, or make the space or eval_share larger"
            )
    return tuple(found.values())
