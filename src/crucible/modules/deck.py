"""Which of the given answers each step gets."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Generic, TypeVar

from crucible.errors import UserError

T = TypeVar("T")


class Deck(Generic[T]):
    """Draws from a finite pool in epochs, without replacement, or from what is made without end.

    Each epoch is a new order of the pool; a draw may end one epoch and begin the next. What is drawn depends on `seed`
    and on how much was drawn before, never on time or on other random numbers: a resumed run draws what it would have.
    """

    def __init__(
        self, *, pool: Sequence[T] | None = None, endless: Callable[[random.Random], Iterator[T]] | None, seed: int
    ) -> None:
        self.pool, self.endless, self.seed = pool, endless, seed
        self.draws = 0
        self.drawn = 0
        self._order: tuple[int, list[int]] | None = None  # (epoch, places)

    @property
    def epoch(self) -> float:
        """Times the pool was gone through; 0 without a pool."""
        return self.drawn / len(self.pool) if self.pool else 0.0

    def draw(self, n: int) -> list[T]:
        if self.pool is not None:
            found = [self.pool[self._place(self.drawn + i)] for i in range(n)]
        else:
            assert self.endless is not None
            found = list(islice(self.endless(random.Random(f"{self.seed}: given answers {self.draws}")), n))
        if len(found) < n:
            raise UserError(f"the data gave {len(found)} of the {n} answers of a step")
        self.draws += 1
        self.drawn += n
        return found

    def _place(self, position: int) -> int:
        """The place in the pool of the item at `position` of the endless sequence of epochs."""
        assert self.pool is not None
        epoch, place = divmod(position, len(self.pool))
        if self._order is None or self._order[0] != epoch:
            order = list(range(len(self.pool)))
            random.Random(f"{self.seed}: given answers, epoch {epoch}").shuffle(order)
            self._order = (epoch, order)
        return self._order[1][place]

    def state_dict(self) -> dict[str, Any]:
        return {"draws": self.draws, "drawn": self.drawn}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.draws, self.drawn = int(state["draws"]), int(state["drawn"])
        self._order = None
