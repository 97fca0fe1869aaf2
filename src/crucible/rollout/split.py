"""A rollout engine shared out: each rank samples some of the prompts, and all ranks get all rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import torch
import torch.nn.functional as F

from crucible.policy.shards import whole
from crucible.ranks import Ranks
from crucible.types import Prompt, RolloutEngine, Rollouts, Sampling


class SplitEngine:
    """Around any engine. Row i is drawn with the noise of row i, so the rows are those of one process.

    Where the weights of `model` lie in shards they are whole while it samples: no two ranks make as many passes.
    """

    def __init__(self, engine: RolloutEngine, ranks: Ranks, *, pad_id: int, model: Any):
        self.engine, self.ranks, self.pad_id, self.model = engine, ranks, pad_id, model

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    def generate(self, prompts: Sequence[Prompt], samples_per_prompt: int, sampling: Sampling) -> Rollouts:
        mine = self.ranks.share(len(prompts))
        part = None
        shifted = replace(sampling, first_row=sampling.first_row + mine.start * samples_per_prompt)
        with whole(self.model):
            if mine:
                found = self.engine.generate([prompts[i] for i in mine], samples_per_prompt, shifted).to("cpu")
                part = replace(found, group=found.group + mine.start)
        return joined([p for p in self.ranks.gather(part) if p is not None], pad_id=self.pad_id)


def joined(parts: Sequence[Rollouts], *, pad_id: int) -> Rollouts:
    """The rows of `parts` one after another, padded to common widths as each of them is."""
    prompt_width = max(p.prompt_ids.shape[1] for p in parts)
    width = max(p.completion_ids.shape[1] for p in parts)

    def column(name: str) -> Any:
        values = [getattr(p, name) for p in parts]
        if name == "temperature":
            return values[0]
        if isinstance(values[0], list):
            return [item for part in values for item in part]
        if values[0].dim() == 1:
            return torch.cat(values)
        fill = pad_id if name.endswith("_ids") else 0
        left = name.startswith("prompt")
        missing = [(prompt_width if left else width) - v.shape[1] for v in values]
        padded = [F.pad(v, (m, 0) if left else (0, m), value=fill) for v, m in zip(values, missing, strict=True)]
        return torch.cat(padded)

    return Rollouts(**{f.name: column(f.name) for f in fields(Rollouts)})
