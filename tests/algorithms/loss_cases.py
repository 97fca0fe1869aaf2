"""The losses as the tests run them, and small ways to differentiate them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from crucible.algorithms.losses.ce_gppo import ce_gppo
from crucible.algorithms.losses.cispo import cispo
from crucible.algorithms.losses.gspo import gspo
from crucible.algorithms.losses.ppo_clip import ppo_clip
from crucible.algorithms.losses.reinforce import reinforce
from crucible.types import PolicyLoss, Totals

Loss = Callable[[Tensor, Tensor, Tensor, Tensor], PolicyLoss]

BAND = {"eps_low": 0.2, "eps_high": 0.2}
TOKEN_LOSSES: dict[str, tuple[Callable[..., PolicyLoss], dict[str, float | None]]] = {
    "ppo_clip": (ppo_clip, BAND),
    "clip_higher": (ppo_clip, {"eps_low": 0.2, "eps_high": 0.28, "dual_clip": 10.0}),
    "ce_gppo": (ce_gppo, {"beta1": 0.5, "beta2": 1.0, **BAND, "dual_clip": 10.0}),
    "ce_gppo_no_dual": (ce_gppo, {"beta1": 0.75, "beta2": 0.6, **BAND, "dual_clip": None}),
    "gppo": (ce_gppo, {"beta1": 1.0, "beta2": 1.0, "eps_low": 0.2, "eps_high": 0.28, "dual_clip": 10.0}),
    "cispo": (cispo, BAND),
    "cispo_no_floor": (cispo, {"eps_low": None, "eps_high": 4.0}),
    "reinforce": (reinforce, {}),
}
ALL_LOSSES: dict[str, Loss] = {name: partial(f, **hyper) for name, (f, hyper) in TOKEN_LOSSES.items()} | {
    "gspo": gspo,
    "gspo_wide": partial(gspo, eps_low=0.2, eps_high=0.2),
}


def value_and_slope(
    loss: Loss, logps: Tensor, old_logps: Tensor, advantages: Tensor, mask: Tensor
) -> tuple[Tensor, Tensor]:
    """The per-token loss and the derivative of its masked sum with respect to each log-prob."""
    leaf = logps.detach().clone().requires_grad_()
    per_token = loss(leaf, old_logps, advantages, mask).per_token
    torch.where(mask > 0, per_token, 0.0).sum().backward()
    assert leaf.grad is not None
    return per_token.detach(), leaf.grad


def random_batch(seed: int, rows: int = 6, width: int = 5, spread: float = 0.4) -> tuple[Tensor, ...]:
    """logps, old_logps, advantages (one per row), mask: float64, ragged, ratios on both sides of the band."""
    draw = torch.Generator().manual_seed(seed)
    old = -2.0 * torch.rand(rows, width, generator=draw, dtype=torch.float64) - 0.05
    logps = old + spread * torch.randn(rows, width, generator=draw, dtype=torch.float64)
    advantages = torch.randn(rows, 1, generator=draw, dtype=torch.float64).expand(rows, width)
    lengths = torch.randint(1, width + 1, (rows,), generator=draw)
    mask = (torch.arange(width) < lengths.unsqueeze(-1)).double()
    return logps, old, advantages * mask, mask


def totals(mask: Tensor, max_completion_tokens: int) -> Totals:
    """The denominators of a whole step, from its full mask."""
    return Totals(float(mask.sum()), float(len(mask)), max_completion_tokens)
