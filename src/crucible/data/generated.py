"""What the generated families have in common: items drawn for ever, split by a hash, some held out."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar

from crucible.data import dials
from crucible.data.split import held_out, training
from crucible.types import Prompt

MOST_HELD_OUT = 100_000  # evaluation items; they are drawn before the run starts


class Generated(ABC):
    """A family whose items are drawn by `draw(rng, size)`: (split key, prompt). Items with one key are on one side.

    The family's own dials are checked first, then `hold_out` draws the evaluation items. Warm-up prompts have
    `smallest`..`size` terms, numbers or operations, in equal shares.
    """

    name: ClassVar[str]

    def hold_out(self, *, size: int, smallest: int, eval_prompts: int, eval_share: float) -> None:
        self._sizes = (smallest, size)
        self.eval_share = dials.share(self.name, "eval_share", eval_share, open_ends=True)
        count = dials.whole(self.name, "eval_prompts", eval_prompts, 1, MOST_HELD_OUT)
        self._eval = held_out(self._draw, count, eval_share=self.eval_share, task=self.name)

    @abstractmethod
    def draw(self, rng: random.Random, size: int) -> tuple[str, Prompt]:
        """One item of this size, with the key that decides its side of the split."""

    def train_prompts(self, rng: random.Random) -> Iterator[Prompt]:
        return training(self._draw, rng, eval_share=self.eval_share, task=self.name)

    def eval_prompts(self) -> Sequence[Prompt]:
        return self._eval

    def warmup_prompts(self, rng: random.Random) -> Iterator[Prompt]:
        """Training prompts for ever, of all sizes from the smallest."""
        return training(self._draw_any_size, rng, eval_share=self.eval_share, task=self.name)

    def _draw(self, rng: random.Random) -> tuple[str, Prompt]:
        return self.draw(rng, self._sizes[1])

    def _draw_any_size(self, rng: random.Random) -> tuple[str, Prompt]:
        return self.draw(rng, rng.randint(*self._sizes))
