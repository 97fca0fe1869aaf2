"""Demonstrated tokens by name, as a supervised loss is given them, and the parts as their YAML files describe them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from loss_cases import Given, batch
from omegaconf import OmegaConf

from crucible.parts import Parts
from crucible.types import PolicyLoss

CONF = Path(__file__).parents[3] / "conf/algo/supervised"
NAMES = sorted(path.stem for path in CONF.glob("*.yaml"))


def built(name: str, **options: Any) -> Callable[..., PolicyLoss]:
    """The loss of conf/algo/supervised/<name>.yaml, with other options where given."""
    return Parts({}).build({**OmegaConf.to_container(OmegaConf.load(CONF / f"{name}.yaml")), **options})


def demonstrations(seed: int, **how: Any) -> Given:
    """Random log-probs of ragged rows in float64, with every name a supervised loss may ask for."""
    given = batch(seed, **how)
    draw = torch.Generator().manual_seed(seed + 100)
    shape = given["mask"].shape
    return given | {
        "normaliser": torch.randn(*shape, generator=draw, dtype=torch.float64) + 3.0,
        "reference_divergence": torch.rand(*shape, generator=draw, dtype=torch.float64),
        "collision": torch.rand(*shape, generator=draw, dtype=torch.float64),
    }
