"""Rollouts for methods that ask for what they need by name, and ways to disturb them."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from torch import Tensor

from crucible.algorithms.given import call
from crucible.parts import Parts
from crucible.types import Prompt, Scores

CONF = Path(__file__).parents[2] / "conf"
SOURCE = CONF.parent / "src" / "crucible" / "algorithms"
SIZES = (4, 3, 4, 1, 2)  # rows of each group


def methods(axis: str) -> list[str]:
    """The YAML names of an axis, "algo/advantage"; "none" is no method."""
    return sorted(path.stem for path in (CONF / axis).glob("*.yaml") if path.stem != "none")


@functools.cache
def node(axis: str, name: str) -> dict[str, Any]:
    return OmegaConf.to_container(OmegaConf.load(CONF / axis / f"{name}.yaml"))


def built(axis: str, name: str) -> Any:
    """A fresh part as its YAML describes it; the only one of a file of named parts."""
    raw = node(axis, name)
    if "_target_" not in raw:
        (raw,) = raw.values()
    return Parts({}).build(raw)


def exceptions(folder: str, name: str) -> Mapping[str, str]:
    """What the method's own test file says does not hold for it, with the reason."""
    return getattr(importlib.import_module(f"{folder}.test_{name}"), "EXCEPTIONS", {})


def unless(folder: str, name: str, what: str) -> None:
    """Leaves a test out whose property the method's own test file excepts."""
    if reason := exceptions(folder, name).get(what):
        pytest.skip(reason)


KINDS = pytest.mark.parametrize("kind", [{}, {"graded": True}, {"steps": True}], ids=["binary", "graded", "steps"])


def case(
    seed: int,
    *,
    graded: bool = False,
    steps: bool = False,
    dtype: torch.dtype = torch.float64,
    sizes: Sequence[int] = SIZES,
    width: int = 6,
) -> dict[str, Any]:
    """Every name of the rollout stage, ragged rows, rewards within [0, 1]. `steps`: rewards paid token by token."""
    draw = torch.Generator().manual_seed(seed)
    rows, vocabulary = sum(sizes), 3

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=draw, dtype=torch.float64).to(dtype)

    lengths = torch.randint(1, width + 1, (rows,), generator=draw)
    mask = (torch.arange(width) < lengths.unsqueeze(-1)).to(dtype)
    numbers = torch.tensor([3, 5, 8, 21, 22, *range(30, 25 + len(sizes))][: len(sizes)])
    group = torch.repeat_interleave(numbers, torch.tensor(sizes))
    total = torch.rand(rows, generator=draw, dtype=torch.float64).to(dtype)
    per_token = None
    if steps:
        paid = torch.randint(0, 2, (rows, width), generator=draw)
        per_token = total.unsqueeze(-1) * mask * paid / width
        total = per_token.sum(-1)
    elif not graded:
        total = (total > 0.5).to(dtype)
    ids = torch.randint(0, vocabulary, (rows, width), generator=draw)
    return {
        "scores": Scores(total, {"exact": total, "format": (normal(rows) > 0).to(dtype)}, per_token=per_token),
        "group": group,
        "mask": mask,
        "success": (total > 0.5).to(dtype),
        "truncated": lengths == width,
        "completion_ids": ids,
        "texts": [f"steps {int(k)}\nanswer: {int(k) % 2}" for k in ids[:, 0]],
        "prompts": [Prompt(id=f"p{int(g)}") for g in group],
        "sampling_logps": -normal(rows, width).abs() * mask,
        "old_logps": -normal(rows, width).abs() * mask,
        "reference_logps": -normal(rows, width).abs() * mask,
        "entropy": normal(rows, width).abs() * mask,
        "old_uniform": -2.0 - normal(rows, width).abs() * mask,
        "old_collision": torch.rand(rows, width, generator=draw, dtype=torch.float64).to(dtype) * mask,
        "hidden": normal(rows, 5),
        "values": normal(rows, width) * mask,
        "token_scores": normal(rows, width) * mask,
        "greedy_rewards": torch.linspace(0.0, 1.0, len(sizes), dtype=dtype).repeat_interleave(torch.tensor(sizes)),
        "tempered": torch.zeros(rows, dtype=torch.bool),
        "staleness": torch.zeros(rows, dtype=torch.int64),
        "updates_done": 3,
        "progress": 0.25,
    }


def every(given: Mapping[str, Any], change: Any) -> dict[str, Any]:
    """`change` applied to every tensor and list, inside Scores too."""

    def one(value: Any) -> Any:
        if is_dataclass(value) and not isinstance(value, Prompt):
            return replace(value, **{f.name: one(getattr(value, f.name)) for f in fields(value)})
        if isinstance(value, dict):
            return {key: one(item) for key, item in value.items()}
        return change(value) if isinstance(value, Tensor | list) else value

    return {name: one(value) for name, value in given.items()}


def rows(given: Mapping[str, Any], index: Tensor) -> dict[str, Any]:
    """The rows in `index`, in that order."""
    return every(given, lambda x: x[index] if isinstance(x, Tensor) else [x[i] for i in index.tolist()])


def wider(given: Mapping[str, Any], columns: int) -> dict[str, Any]:
    """Padding columns that only other rows would need, with rubbish in everything but the mask."""
    width = given["mask"].shape[-1]

    def pad(x: Any) -> Any:
        if not isinstance(x, Tensor) or x.dim() != 2 or x.shape[1] != width:
            return x
        return torch.nn.functional.pad(x, (0, columns), value=7)

    found = every(given, pad)
    found["mask"] = torch.nn.functional.pad(given["mask"], (0, columns))
    return found


def renamed(given: Mapping[str, Any]) -> dict[str, Any]:
    """Other group numbers in the same order."""
    return {**given, "group": given["group"] * 1000 - 7}


def cast(given: Mapping[str, Any], dtype: torch.dtype) -> dict[str, Any]:
    return every(given, lambda x: x.to(dtype) if isinstance(x, Tensor) and x.is_floating_point() else x)


def failing(given: Mapping[str, Any], lost: Tensor) -> dict[str, Any]:
    """Rows in `lost` (N,) bool have no reward: not valid, and NaN in every number of their scores."""
    scores = given["scores"]

    def spoil(x: Tensor | None) -> Tensor | None:
        return None if x is None else torch.where(lost if x.dim() == 1 else lost.unsqueeze(-1), float("nan"), x)

    return {
        **given,
        "scores": replace(
            scores,
            total=spoil(scores.total),
            per_token=spoil(scores.per_token),
            components={name: spoil(x) for name, x in scores.components.items()},
            valid=~lost,
        ),
    }


def apply(axis: str, name: str, given: Mapping[str, Any]) -> Any:
    """A fresh part called with what it names."""
    return call(built(axis, name), given)
