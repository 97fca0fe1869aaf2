"""The choices beside CoTP: chance, everything, length, entropy, what was planted."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, Literal

from crucible.cotp.selection import Pool, Selection
from crucible.cotp.selectors.reference import entropies_of
from crucible.errors import UserError


class RandomChoice:
    """t * o chains of the pool by chance; `seed` and the pool decide which."""

    def __init__(self, *, seed: int) -> None:
        self.seed = seed

    def __call__(self, pool: Pool) -> Selection:
        rng = random.Random(f"random selection {self.seed}")
        return Selection(rng.sample(range(len(pool.items)), pool.wanted))


class Everything:
    """The whole pool: no selection."""

    def __call__(self, pool: Pool) -> Selection:
        return Selection(range(len(pool.items)))


class ByLength:
    """The t * o longest (or shortest) chains, in characters; equally long ones in the order of the pool."""

    def __init__(self, *, take: Literal["longest", "shortest"] = "longest") -> None:
        if take not in ("longest", "shortest"):
            raise UserError(f"data.select.take={take}: longest or shortest")
        self.take = take

    def __call__(self, pool: Pool) -> Selection:
        return _first(pool, [len(chain.completion) for chain in pool.items], most=self.take == "longest")


class ByEntropy:
    """The t * o chains of the highest (or lowest) mean token entropy under a reference model."""

    def __init__(
        self, *, reference: Callable[..., Any] | None = None, take: Literal["highest", "lowest"] = "highest"
    ) -> None:
        if take not in ("highest", "lowest"):
            raise UserError(f"data.select.take={take}: highest or lowest")
        if reference is None:
            raise UserError("data/select=entropy needs a model that reads the chains: choose data.select.reference")
        self.reference, self.take = reference, take

    def __call__(self, pool: Pool) -> Selection:
        read = entropies_of(pool.items, pool, self.reference)
        return _first(pool, [float(read[i].mean()) for i in range(len(read))], most=self.take == "highest")


class Planted:
    """The chains of a generated pool that were planted, at most t * o: the ideal that a core set stands in for."""

    def __call__(self, pool: Pool) -> Selection:
        planted = [i for i, chain in enumerate(pool.items) if is_planted(chain)]
        if not planted:
            raise UserError("data/select=planted: no chain of this pool was planted; only generated pools have any")
        return Selection(planted[: pool.wanted])


def is_planted(chain: Any) -> bool:
    """A right chain that thinks as the core set does."""
    return chain.kind == "methodical" and chain.correct is True


def _first(pool: Pool, scores: Sequence[float], *, most: bool) -> Selection:
    order = sorted(range(len(scores)), key=lambda i: (-scores[i] if most else scores[i], i))
    return Selection(order[: pool.wanted])
