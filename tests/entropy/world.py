"""Batches for entropy controls, and one optimiser step of a control on one, cut into micro-batches or not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
import yaml

from crucible.algorithms.given import call
from crucible.entropy.base import EntropyControl
from crucible.parts import locate
from crucible.types import Advantages, Scores
from tests.conftest import ROOT

FILES = sorted((ROOT / "conf" / "entropy").glob("*.yaml"))


def control_of(file: Path, **options) -> EntropyControl:
    """The control a YAML describes."""
    node = yaml.safe_load(file.read_text())
    return locate(node.pop("_target_"))(**{**node, **options})


@dataclass
class Batch:
    """N rows of T tokens in float64; what a run would hand over, by name."""

    logps: torch.Tensor
    old_logps: torch.Tensor
    entropy: torch.Tensor
    old_entropy: torch.Tensor
    advantages: torch.Tensor
    mask: torch.Tensor
    group: torch.Tensor

    @classmethod
    def random(cls, rows=6, tokens=5, seed=0):
        g = torch.Generator().manual_seed(seed)

        def uniform(low, high):
            return low + (high - low) * torch.rand(rows, tokens, generator=g, dtype=torch.float64)

        lengths = torch.randint(1, tokens + 1, (rows,), generator=g)
        mask = (torch.arange(tokens) < lengths[:, None]).double()
        old_logps, old_entropy = uniform(-4.0, -0.1), uniform(0.05, 2.0)
        return cls(
            logps=old_logps + uniform(-0.4, 0.4),
            old_logps=old_logps,
            entropy=old_entropy * uniform(0.8, 1.2),
            old_entropy=old_entropy,
            advantages=torch.randn(rows, 1, generator=g, dtype=torch.float64) * 3.0 * mask,
            mask=mask,
            group=torch.arange(rows) // 2,
        )

    @classmethod
    def of(cls, advantages, logps, *, old_logps=None, entropy=None, old_entropy=None, mask=None, group=None):
        """A batch from nested lists; what is not given is equal to what it would be compared with."""

        def tensor(values):
            return torch.tensor(values, dtype=torch.float64)

        lp = tensor(logps)
        return cls(
            logps=lp,
            old_logps=lp.clone() if old_logps is None else tensor(old_logps),
            entropy=torch.ones_like(lp) if entropy is None else tensor(entropy),
            old_entropy=torch.ones_like(lp) if old_entropy is None else tensor(old_entropy),
            advantages=tensor(advantages),
            mask=torch.ones_like(lp) if mask is None else tensor(mask),
            group=torch.zeros(len(lp), dtype=torch.int64) if group is None else torch.tensor(group),
        )

    def rows(self, index):
        return Batch(**{name: value[index] for name, value in vars(self).items()})

    def padded(self, columns=2, garbage=float("nan")):
        """More columns of padding that hold what must not be looked at."""
        n = len(self.mask)

        def wider(name, value):
            if value.ndim == 1:
                return value
            fill = 0.0 if name in ("mask", "advantages") else garbage
            return torch.cat([value, torch.full((n, columns), fill, dtype=value.dtype)], 1)

        return Batch(**{name: wider(name, value) for name, value in vars(self).items()})

    def with_empty_row(self):
        """One more row, without tokens, in a group of its own, with garbage everywhere."""
        wide = {name: value for name, value in vars(self).items() if value.ndim == 2}
        more = {name: torch.cat([value, torch.full_like(value[:1], float("nan"))]) for name, value in wide.items()}
        more["mask"][-1], more["advantages"][-1] = 0.0, 0.0
        return Batch(**more, group=torch.cat([self.group, self.group.max()[None] + 1]))


@dataclass
class Step:
    """What a control did in one optimiser step, (N, T) each, 0 on padding."""

    advantages: torch.Tensor
    weights: torch.Tensor
    term: torch.Tensor
    term_logps_gradient: torch.Tensor  # of the sum of the terms
    term_entropy_gradient: torch.Tensor


def shaped(control, batch, keep=None) -> Advantages:
    """The advantages after the control's shape hook, which sees the policy before the update."""
    before = batch.advantages.clone()
    given = {
        "advantages": Advantages(batch.advantages, keep=keep),
        "scores": Scores(batch.advantages.sum(-1)),
        "entropy": batch.old_entropy,
        "old_logps": batch.old_logps,
        "mask": batch.mask,
        "group": batch.group,
        "tempered": torch.zeros(len(batch.mask), dtype=torch.bool),
    }
    result = call(control.shape, given) if control.shapes else given["advantages"]
    assert torch.equal(batch.advantages, before), "the hook changed its input in place"
    return result


def step(control, batch, pieces=None) -> Step:
    """shape, weigh on all rows, loss_term on each of `pieces` (lists of row numbers)."""
    values = shaped(control, batch).values
    real = batch.mask > 0
    batch = replace(batch, advantages=values)
    weights = call(control.weigh, detached(batch))
    weights = torch.ones_like(batch.mask) if weights is None else weights
    assert not weights.requires_grad
    term, logps_gradient, entropy_gradient = (torch.zeros_like(batch.mask) for _ in range(3))
    for index in pieces or [list(range(len(batch.mask)))]:
        part = batch.rows(index)
        logps, entropy = part.logps.clone().requires_grad_(), part.entropy.clone().requires_grad_()
        given = detached(part) | {"logps": logps, "entropy": entropy if control.needs_gradient else part.entropy}
        found = call(control.loss_term, given)
        if found is None:
            continue
        term[index] = found.detach()
        torch.where(part.mask > 0, found, torch.zeros_like(found)).sum().backward()
        logps_gradient[index] = logps.grad if logps.grad is not None else 0.0
        entropy_gradient[index] = entropy.grad if entropy.grad is not None else 0.0
    kept = [torch.where(real, x, 0.0) for x in (values, weights, term, logps_gradient, entropy_gradient)]
    return Step(*kept)


def detached(batch) -> dict[str, torch.Tensor]:
    return {name: value.detach() for name, value in vars(batch).items()}


def primed(control, mean_entropy=0.1):
    """After one step in which the entropy was low: a controller that is off at first is on."""
    control.after_step(mean_entropy)
    return control
