"""How far TRL's loss and gradient of an update are from Crucible's, on the same rows and weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from crucible.trl.plan import TOKEN_MEANS, Plan

if TYPE_CHECKING:
    from crucible.modules.online_rl import OnlineRL


@dataclass(frozen=True, slots=True)
class Gaps:
    """`loss`: the difference; `gradient`: the size of the difference over that of Crucible's gradient, both clipped.

    Crucible's are multiplied by `denominator` first, its denominator of the loss over TRL's, which for token means is
    the mean over the updates of a step.
    """

    loss: float
    gradient: float
    denominator: float

    def metrics(self) -> dict[str, float]:
        return {"trl/loss_gap": self.loss, "trl/gradient_gap": self.gradient, "trl/denominator": self.denominator}

    @staticmethod
    def worst(found: list[Gaps]) -> Gaps:
        return Gaps(
            max(gap.loss for gap in found),
            max(gap.gradient for gap in found),
            max((gap.denominator for gap in found), key=lambda d: abs(d - 1.0)),
        )

    def in_words(self, updates: int) -> str:
        line = (
            f"TRL against Crucible on the same rows: over {updates} updates the losses differ by at most "
            f"{self.loss:.1e}, the gradients by {self.gradient:.1e} of their size"
        )
        if self.denominator == 1.0:
            return line
        return f"{line}, up to TRL's denominator (an update's own is up to {self.denominator:.3f} of it)"


def gaps(module: OnlineRL, rows: Tensor, kept: Tensor, loss: float, plan: Plan) -> Gaps:
    """TRL's gradients, clipped, stand in the parameters and are there again afterwards; its loss is `loss`.

    `rows` are those of the update, `kept` those that Crucible trains on.
    """
    parameters = [p for p in module.model.parameters() if p.requires_grad]
    theirs = [p.grad for p in parameters]
    for p in parameters:
        p.grad = None
    found = module.objective.backward(module.experience, kept, module.clock, lambda piece: piece.backward())
    factor = denominator(module.experience.rollouts.mask, rows, kept, module.batch.updates_per_rollout, plan)
    for p in parameters:
        if p.grad is not None:
            p.grad.mul_(factor)
    module.optim.clip(parameters)
    ours = [p.grad for p in parameters]
    for p, grad in zip(parameters, theirs, strict=True):
        p.grad = grad
    return Gaps(abs(loss - found["policy/loss"] * factor), distance(theirs, ours), factor)


def denominator(mask: Tensor, rows: Tensor, kept: Tensor, updates: int, plan: Plan) -> float:
    """Crucible's denominator over TRL's: an update's tokens over the mean of the step's updates; or rows over rows."""
    if plan.loss is not None and plan.loss["loss_type"] in TOKEN_MEANS:
        return float(mask[kept].sum() / (mask.sum() / updates))
    return len(kept) / len(rows)


def distance(theirs: list[Any], ours: list[Any]) -> float:
    """|theirs - ours| / |ours| over all parameters, in float64."""
    off = size = 0.0
    for a, b in zip(theirs, ours, strict=True):
        if a is None and b is None:
            continue
        x = torch.zeros_like(b) if a is None else a
        y = torch.zeros_like(x) if b is None else b
        off += float((x.double() - y.double()).square().sum())
        size += float(y.double().square().sum())
    return (off / max(size, 1e-24)) ** 0.5
