"""A finite set of prompts, for ever: each epoch is a new order of all of them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from crucible.types import Prompt


def epochs(prompts: Sequence[Prompt], rng: random.Random) -> Iterator[Prompt]:
    while True:
        order = list(prompts)
        rng.shuffle(order)
        yield from order
