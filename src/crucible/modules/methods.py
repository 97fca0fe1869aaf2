"""The pieces of one algorithm, and what they ask the program for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from crucible.algorithms.given import all_names, overridden, unwrapped
from crucible.algorithms.kl.penalty import KLPenalty
from crucible.entropy.base import EntropyControl
from crucible.types import Advantages, Correction, PolicyLoss, Scores

# What a pass of the policy in training gives, under the names of the rollout stage.
PASS_NAMES = {
    "old_logps": "logps",
    "entropy": "entropy",
    "old_uniform": "uniform",
    "old_collision": "collision",
    "hidden": "hidden",
    "values": "values",
    "token_scores": "values",
}


@dataclass(slots=True)
class Methods:
    """Each piece is called with what it names (crucible.algorithms.given); a piece that is absent is None."""

    loss: Callable[..., PolicyLoss]
    advantage: Callable[..., Advantages]
    aggregation: Callable[..., Tensor]
    filter: Callable[..., Tensor]
    auxiliary: Mapping[str, Any]
    entropy: Any
    correction: Callable[..., Correction] | None = None
    kl: KLPenalty | None = None
    critic: Any = None
    shaping: Mapping[str, Callable[..., Scores]] = field(default_factory=dict)

    def hook(self, name: str) -> Callable[..., Any] | None:
        """A hook of the entropy control, where it has one that does something."""
        return overridden(self.entropy, name, EntropyControl)

    def of_auxiliaries(self, name: str) -> dict[str, Callable[..., Any]]:
        """A method of the auxiliary losses that have it: `select` and `per_token` of those on sampled tokens,
        `per_answer` of those on reference answers, `shape` of those that change the advantages."""
        return {key: getattr(part, name) for key, part in self.auxiliary.items() if hasattr(part, name)}

    def before_update(self) -> list[Callable[..., Any]]:
        """What is called once a rollout step."""
        penalty = getattr(self.kl, "in_reward", None)
        selects = [part for name in ("select", "shape") for part in self.of_auxiliaries(name).values()]
        return _present([*self.shaping.values(), self.advantage, self.filter, *selects, self.hook("shape"), penalty])

    def in_update(self) -> list[Callable[..., Any]]:
        """What is called for each micro-batch."""
        penalty = getattr(self.kl, "in_loss", None)
        auxiliaries = self.of_auxiliaries("per_token").values()
        return _present([self.loss, self.correction, *auxiliaries, self.hook("loss_term"), penalty])

    @property
    def critic_loss(self) -> Callable[..., Tensor] | None:
        """The critic's own loss; None without a critic, and for one that learns through the policy loss."""
        return getattr(self.critic, "per_token", None)

    def reader(self, head: nn.Module | None, *, learns_policy: bool = True) -> dict[str, Callable[[Tensor], Tensor]]:
        """What reads the critic's `head` in a pass of the policy, as an option of `Policy.token_stats`."""
        if self.critic is None or head is None:
            return {}
        option = {"tokens": "value_head", "prompt": "prompt_head"}[self.critic.reads]
        return {option: self.critic.reader(head, learns_policy=learns_policy)}

    @property
    def whole_groups(self) -> bool:
        """Does a part look at the rows of a group together?"""
        return "group" in all_names(self.in_update())

    @property
    def update_names(self) -> frozenset[str]:
        """All that is asked for while updating, also for the weights of a whole optimiser step."""
        return all_names(_present([*self.in_update(), self.hook("weigh"), self.critic_loss])) - {"predicted"}

    def wants(self, *wanted: str) -> bool:
        """Is one of these names asked for, before the update or in it?"""
        return not (all_names(self.before_update()) | self.update_names).isdisjoint(wanted)

    @property
    def entropy_gradient(self) -> bool:
        return any(needs_gradient(part) for part in (self.loss, self.entropy, *self.auxiliary.values()))

    def remembering(self) -> dict[str, Any]:
        """The parts with a state of their own, by name."""
        parts = {"entropy": self.entropy, "advantage": self.advantage, "filter": self.filter, "loss": self.loss,
                 "correction": self.correction, "kl": self.kl}  # fmt: skip
        parts |= {f"auxiliary.{name}": part for name, part in self.auxiliary.items()}
        parts |= {f"shaping.{name}": part for name, part in self.shaping.items()}
        return {name: part for name, part in parts.items() if hasattr(part, "state_dict")}


def needs_gradient(part: Any) -> bool:
    """Does the part use the gradient of the exact entropy?"""
    return bool(getattr(unwrapped(part), "needs_gradient", False))


def _present(parts: Iterable[Callable[..., Any] | None]) -> list[Callable[..., Any]]:
    return [part for part in parts if part is not None]
