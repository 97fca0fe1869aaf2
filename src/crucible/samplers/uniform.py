"""`sampler=uniform`: every training prompt is as likely as the task makes it."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from crucible.errors import UserError
from crucible.types import Prompt, Scores, Task


class Uniform:
    """Draws fresh prompts of an endless task; goes through a finite one in epochs, without replacement.

    A finite task is one that offers `train_pool()`. Each epoch is a new order of the pool; a draw may
    end one epoch and begin the next.

    The prompts depend on `seed`, on how many were drawn and (for endless tasks) on the sizes of the
    draws, never on time or on other random numbers: a resumed run draws what it would have drawn. The
    state is three numbers, however long the run.

    `contamination` is the share of evaluation prompts that were ever drawn for training: 0 unless the
    task breaks its promise. `observe` only counts.
    """

    def __init__(self, *, task: Task, seed: int = 0) -> None:
        self.task, self.seed = task, seed
        pool = getattr(task, "train_pool", None)
        self._pool: Sequence[Prompt] | None = None if pool is None else pool()
        self._held_out = {prompt.id for prompt in task.eval_prompts()}
        self._leaked: set[str] = set()
        self._order: tuple[int, list[int]] | None = None  # (epoch, indices)
        self.draws = 0
        self.drawn = 0
        self.observed = 0

    @property
    def epoch(self) -> float:
        """Epochs of a finite task gone through so far; 0 for an endless one."""
        return self.drawn / len(self._pool) if self._pool else 0.0

    @property
    def contamination(self) -> float:
        return len(self._leaked) / len(self._held_out) if self._held_out else 0.0

    def draw(self, n: int) -> list[Prompt]:
        if self._pool is None:
            rng = random.Random(f"{self.seed}: draw {self.draws}")
            prompts = list(islice(self.task.train_prompts(rng), n))
        else:
            prompts = [self._pool[self._index(self.drawn + i)] for i in range(n)]
        if len(prompts) < n:
            raise UserError(f"sampler=uniform: {self.task.name} gave {len(prompts)} of {n} training prompts")
        self.draws += 1
        self.drawn += n
        self._leaked.update(p.id for p in prompts if p.id in self._held_out)
        return prompts

    def observe(self, prompts: Sequence[Prompt], scores: Scores) -> None:
        self.observed += len(prompts)

    def state_dict(self) -> dict[str, Any]:
        return {
            "seed": self.seed,
            "draws": self.draws,
            "drawn": self.drawn,
            "observed": self.observed,
            "leaked": sorted(self._leaked),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.seed, self.draws, self.drawn = state["seed"], state["draws"], state["drawn"]
        self.observed, self._leaked = state["observed"], set(state["leaked"])
        self._order = None

    def _index(self, position: int) -> int:
        """The place in the pool of the prompt at `position` of the endless sequence of epochs."""
        if not self._pool:
            raise UserError(f"sampler=uniform: {self.task.name} has no training prompts")
        epoch, place = divmod(position, len(self._pool))
        if self._order is None or self._order[0] != epoch:
            order = list(range(len(self._pool)))
            random.Random(f"{self.seed}: epoch {epoch}").shuffle(order)
            self._order = (epoch, order)
        return self._order[1][place]
