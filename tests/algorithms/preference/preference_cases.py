"""Pairs and labelled answers by name, as a preference loss is given them, and the parts as their YAML files say."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from torch import Tensor

from crucible.algorithms.given import LABELLED, PAIRS, call, names
from crucible.parts import Parts

CONF = Path(__file__).parents[3] / "conf/algo/preference"
FILES = sorted(path.stem for path in CONF.glob("*.yaml"))
LOGPS = ("chosen_logps", "rejected_logps")


def built(name: str, **options: Any) -> Any:
    """The loss of conf/algo/preference/<name>.yaml, with other options where given."""
    return Parts({}).build({**OmegaConf.to_container(OmegaConf.load(CONF / f"{name}.yaml")), **options})


def wanted(loss: Any) -> set[str]:
    return set(names(loss))


OF_PAIRS = [name for name in FILES if wanted(built(name)) <= set(PAIRS)]
OF_ANSWERS = [name for name in FILES if wanted(built(name)) <= set(LABELLED)]


def pairs(seed: int, *, count: int = 9, spread: float = 3.0, dtype: torch.dtype = torch.float64) -> dict[str, Any]:
    """Random pairs of answers of different lengths, with every name a loss of pairs may ask for."""
    draw = torch.Generator().manual_seed(seed)

    def uniform(low: float, high: float) -> Tensor:
        return (low + (high - low) * torch.rand(count, generator=draw, dtype=torch.float64)).to(dtype)

    found: dict[str, Any] = {}
    for side in ("chosen", "rejected"):
        length = torch.randint(1, 20, (count,), generator=draw).to(dtype)
        shared = -length * uniform(0.05, 2.0)
        total = shared - length * uniform(0.01, 1.0)
        found |= {f"{side}_lengths": length, f"{side}_logps": total, f"{side}_shared_logps": shared}
        found[f"reference_{side}_logps"] = total + uniform(-spread, spread)
        found[f"reference_{side}_shared_logps"] = shared + uniform(-spread, spread)
        found[f"{side}_typicality"] = uniform(-1.0, 0.2)
    return found | {"mean_chosen_length": float(found["chosen_lengths"].mean()), "updates_done": 3, "progress": 0.5}


def answers(seed: int, *, count: int = 11, dtype: torch.dtype = torch.float64) -> dict[str, Any]:
    """Random labelled answers, with every name a loss of single answers may ask for."""
    draw = torch.Generator().manual_seed(seed)
    logps = -1.0 - 30.0 * torch.rand(count, generator=draw, dtype=torch.float64)
    return {
        "logps": logps.to(dtype),
        "reference_logps": (logps + 4.0 * torch.randn(count, generator=draw, dtype=torch.float64)).to(dtype),
        "desirable": torch.rand(count, generator=draw) < 0.5,
        "lengths": torch.randint(1, 20, (count,), generator=draw).to(dtype),
        "mismatched_log_ratio": 0.2 if seed % 2 else -0.4,
        "updates_done": 3,
        "progress": 0.5,
    }


def value_and_slopes(loss: Any, given: dict[str, Any], with_respect_to: tuple[str, ...] = LOGPS) -> list[Tensor]:
    """The loss of each item and the derivative of their sum with respect to each of these names."""
    leaves = {name: given[name].detach().clone().requires_grad_() for name in with_respect_to}
    per_item = call(loss, {**given, **leaves}).per_item
    per_item.sum().backward()
    zero = functools.partial(torch.zeros_like, per_item)
    return [per_item.detach(), *(zero() if leaf.grad is None else leaf.grad for leaf in leaves.values())]


def items_of(given: dict[str, Any]) -> list[dict[str, float]]:
    """One dict of Python numbers for each pair or answer."""
    count = max(len(value) for value in given.values() if isinstance(value, Tensor))
    return [
        {name: value[i].item() if isinstance(value, Tensor) else value for name, value in given.items()}
        for i in range(count)
    ]
