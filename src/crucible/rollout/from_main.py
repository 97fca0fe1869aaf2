"""One rollout engine for all ranks: the main process samples, the others are told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from crucible.ranks import Ranks
from crucible.types import Prompt, RolloutEngine, Rollouts, Sampling


class EngineOfMain:
    """Around an engine whose class says `for_all_ranks`, e.g. a server that batches by itself; None on other ranks."""

    apart = True

    def __init__(self, engine: RolloutEngine | None, ranks: Ranks):
        self.engine, self.ranks = engine, ranks

    def generate(self, prompts: Sequence[Prompt], samples_per_prompt: int, sampling: Sampling) -> Rollouts:
        found = self.engine.generate(prompts, samples_per_prompt, sampling).to("cpu") if self.engine else None
        rollouts: Rollouts = self.ranks.from_main(found)
        return rollouts

    def sync(self, policy_version: int) -> None:
        """Every rank's policy has the same weights; the engine gets the main process'."""
        if self.engine:
            self.engine.sync(policy_version)

    @contextmanager
    def behind(self) -> Iterator[int]:
        if self.engine is None:
            yield self.ranks.from_main(None)
        else:
            with self.engine.behind() as version:
                yield self.ranks.from_main(version)

    def state_dict(self) -> dict[str, Any]:
        return self.engine.state_dict() if self.engine else {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        if self.engine:
            self.engine.load_state_dict(state)
