"""An optimiser that keeps the gradients it is given, and what each rank has of the weights."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from crucible.modules.options import AdamW
from crucible.policy.shards import full


@dataclass(frozen=True, kw_only=True)
class RecordingAdamW(AdamW):
    """AdamW that stores the whole gradient of each update, not clipped yet, in `folder` under the rank."""

    folder: str
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def clip(self, parameters: Any) -> torch.Tensor:
        parameters = list(parameters)
        together = torch.distributed.is_initialized()
        rank = torch.distributed.get_rank() if together else 0
        facts = {
            "gradients": [None if p.grad is None else full(p.grad).clone() for p in parameters],
            "here": [getattr(p, "_local_tensor", p).numel() for p in parameters],
            "whole": [p.numel() for p in parameters],
        }
        place = Path(self.folder) / str(rank)
        place.mkdir(parents=True, exist_ok=True)
        torch.save(facts, place / f"{next(self.numbers)}.pt")
        return super().clip(parameters)


def recorded(folder: Path, rank: int = 0) -> list[dict[str, Any]]:
    """What a rank has stored, in order of updates."""
    files = sorted((folder / str(rank)).iterdir(), key=lambda path: int(path.stem))
    return [torch.load(file) for file in files]
