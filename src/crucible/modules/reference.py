"""The reference policy: a frozen copy of the start policy, which may follow the policy in training."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crucible.errors import UserError

if TYPE_CHECKING:
    from crucible.policy.policy import Policy


@dataclass(frozen=True, kw_only=True)
class Refresh:
    """Every `every` rollout steps, reference <- (1 - mix) reference + mix policy; never with `every` null.

    TR-DPO, 2404.09656: mix 1 is its hard update, mix below 1 its soft update; with every = 1 the soft update is
    an exponential moving average with decay 1 - mix.
    """

    every: int | None = None
    mix: float = 1.0

    def __post_init__(self) -> None:
        if self.every is not None and self.every < 1:
            raise UserError(f"algo.reference.every={self.every}: must be at least 1 step, or null for never")
        if not 0.0 < self.mix <= 1.0:
            raise UserError(f"algo.reference.mix={self.mix}: must be above 0 and at most 1")


class Reference:
    """A second model in memory, made only for runs in which a part names `reference_logps`.

    Made from the policy before it has learned anything, also when a run is resumed.
    """

    def __init__(self, policy: Policy, refresh: Refresh) -> None:
        self.policy = copy.copy(policy)
        self.policy.model = copy.deepcopy(policy.model).requires_grad_(False).eval()
        self.refresh = refresh

    def on(self, device: Any) -> Policy:
        """The frozen policy, on `device`."""
        self.policy.model.to(device)
        return self.policy

    def end_of_step(self, step: int, policy: Policy) -> None:
        """After rollout step `step` (from 1)."""
        if self.refresh.every is None or step % self.refresh.every:
            return
        import torch

        from crucible.policy.shards import full_parameters

        with torch.no_grad():
            for old, (_, new) in zip(self.policy.model.parameters(), full_parameters(policy.model), strict=True):
                old.lerp_(new.to(old.device), self.refresh.mix)

    def state_dict(self) -> dict[str, Any]:
        """The weights, where they are not the start policy's for ever."""
        if self.refresh.every is None:
            return {}
        return {name: value.detach().clone() for name, value in self.policy.model.state_dict().items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        if state:
            self.policy.model.load_state_dict(state)
