"""Small groups of options, as the objects the training modules use."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from crucible.errors import UserError
from crucible.types import Sampling

if TYPE_CHECKING:
    import torch


def at_least(name: str, value: float, least: float, *, strictly: bool = False) -> None:
    """Refuse an option below its bound."""
    if math.isnan(value) or value < least or (strictly and value == least):
        raise UserError(f"{name}={value}: must be {'above' if strictly else 'at least'} {least}")


@dataclass(frozen=True, kw_only=True)
class SamplingOptions:
    """How rollouts are sampled."""

    max_tokens: Annotated[int, ">= 1"]
    temperature: Annotated[float, "> 0"] = 1.0

    def __post_init__(self) -> None:
        at_least("sampling.max_tokens", self.max_tokens, 1)
        at_least("sampling.temperature", self.temperature, 0, strictly=True)
        if math.isinf(self.temperature):
            raise UserError(f"sampling.temperature={self.temperature}: must be finite")

    def at(self, seed: int) -> Sampling:
        return Sampling(max_tokens=self.max_tokens, temperature=self.temperature, seed=seed)


@dataclass(frozen=True, kw_only=True)
class AdamW:
    """AdamW with a linear warm-up to a constant learning rate, and clipping of the global gradient norm."""

    lr: Annotated[float, "> 0"]
    warmup_updates: Annotated[int, ">= 0"] = 10
    weight_decay: Annotated[float, ">= 0"] = 0.0
    beta1: Annotated[float, ">= 0, < 1"] = 0.9
    beta2: Annotated[float, ">= 0, < 1"] = 0.999
    max_grad_norm: Annotated[float, "> 0"] | None = 1.0

    def __post_init__(self) -> None:
        at_least("optim.lr", self.lr, 0, strictly=True)
        at_least("optim.warmup_updates", self.warmup_updates, 0)
        at_least("optim.weight_decay", self.weight_decay, 0)
        for name in ("beta1", "beta2"):
            if not 0 <= (value := getattr(self, name)) < 1:
                raise UserError(f"optim.{name}={value}: must be at least 0 and below 1")
        if self.max_grad_norm is not None:
            at_least("optim.max_grad_norm", self.max_grad_norm, 0, strictly=True)

    def build(
        self, parameters: Iterable[torch.nn.Parameter], *more: dict[str, Any]
    ) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LambdaLR]:
        """`more`: further groups, as torch's optimisers take them, with options of their own."""
        import torch

        optimizer = torch.optim.AdamW(
            [{"params": [p for p in parameters if p.requires_grad]}, *more],
            lr=self.lr,
            betas=(self.beta1, self.beta2),
            weight_decay=self.weight_decay,
            fused=True,
        )
        warmup = self.warmup_updates
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda n: min(1.0, (n + 1) / max(warmup, 1)))
        return optimizer, schedule

    def clip(self, parameters: Iterable[torch.nn.Parameter]) -> torch.Tensor:
        """Clip the gradients in place and return their norm before clipping."""
        import torch

        from crucible.policy.shards import full

        bound = self.max_grad_norm if self.max_grad_norm is not None else math.inf
        moved = [p for p in parameters if p.grad is not None]
        if not moved:
            return torch.zeros(())
        norm = full(torch.nn.utils.get_total_norm([p.grad for p in moved]))
        torch.nn.utils.clip_grads_with_norm_(moved, bound, norm)
        return norm
