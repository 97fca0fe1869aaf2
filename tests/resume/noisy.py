"""A reward that draws from every global random state there is, and counts for itself: what must survive a kill."""

from __future__ import annotations

import random

import numpy as np
import torch

from crucible.types import Scores


class Noisy:
    needs: tuple[str, ...] = ()

    def __init__(self, *, right: float = 1.0, wrong: float = 0.0):
        self.calls = 0

    def __call__(self, prompts, completions, context):
        if context.training:
            self.calls += 1
        draws = {
            "python": torch.tensor([random.random() for _ in completions]),
            "numpy": torch.tensor(np.random.rand(len(completions)), dtype=torch.float32),
            "torch": torch.rand(len(completions)),
            "calls": torch.full((len(completions),), float(self.calls)),
        }
        return Scores(sum(draws.values()), draws)

    def state_dict(self):
        return {"calls": self.calls}

    def load_state_dict(self, state):
        self.calls = state["calls"]
