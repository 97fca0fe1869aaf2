"""Which parts of a run are shared out when it has several processes, and which one process alone has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from crucible.ahead import asks_for
from crucible.errors import UserError
from crucible.loggers.none import NoLogger
from crucible.parts import Parts, locate
from crucible.policy.shards import whole
from crucible.ranks import Ranks
from crucible.rollout.from_main import EngineOfMain
from crucible.rollout.split import SplitEngine
from crucible.types import Completion, Context, Prompt, Scores


def share_out(parts: Parts, ranks: Ranks, module: Any) -> None:
    """The engine samples in shares, or (a server) on the main process for all; the reward and the logger are the main
    process' alone; the policy is everyone's.

    Does nothing for a run of one process. Errors: UserError where `module`, what trains, knows only one.
    """
    if ranks.world == 1:
        return
    if not getattr(module, "shares_rows", False):
        raise UserError(f"{module.__name__} trains on one process; set trainer.devices=1")
    with ranks.main_first():
        policy = parts["policy"]
    if getattr(locate(parts.node("engine")["_target_"]), "for_all_ranks", False):
        parts.add("engine", EngineOfMain(parts["engine"] if ranks.main else None, ranks))
    else:
        parts.add("engine", SplitEngine(parts["engine"], ranks, pad_id=policy.pad_id, model=policy.model))
    with ranks.main_first():
        reward = parts["reward"] if ranks.main else None
    asks_the_policy = asks_for(parts, "reward", "policy")
    parts.add("reward", OneReward(reward, ranks, policy.model if asks_the_policy else None))
    if not ranks.main:
        parts.add("logger", NoLogger())


class OneReward:
    """The main process scores all rows and tells the others: a reward may cost money, or differ between calls.

    `model` is the policy's where the reward asks the policy, whose weights are whole for that.
    """

    def __init__(self, reward: Any, ranks: Ranks, model: Any = None):
        self.reward, self.ranks, self.model = reward, ranks, model
        self.needs: tuple[str, ...] = ranks.from_main(getattr(reward, "needs", ()))
        if ranks.from_main(hasattr(reward, "fulfilment")):
            self.fulfilment = self._fulfilment
        if ranks.from_main(hasattr(reward, "state_dict")):
            self.state_dict, self.load_state_dict = self._state_dict, self._load_state_dict

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Completion], context: Context) -> Scores:
        with self.asking():
            scores = self.reward(prompts, completions, context) if self.ranks.main else None
        return self.ranks.from_main(scores)

    def _fulfilment(self, prompts: Sequence[Prompt], completions: Sequence[Completion]) -> Any:
        with self.asking():
            found = self.reward.fulfilment(prompts, completions) if self.ranks.main else None
        return self.ranks.from_main(found)

    def asking(self) -> AbstractContextManager[None]:
        return nullcontext() if self.model is None else whole(self.model)

    def _state_dict(self) -> dict[str, Any]:
        """Of the main process alone, which writes the checkpoint."""
        return self.reward.state_dict() if self.ranks.main else {}

    def _load_state_dict(self, state: Mapping[str, Any]) -> None:
        if self.ranks.main:
            self.reward.load_state_dict(state)
