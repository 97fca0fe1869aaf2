"""The data loader of modules that make their own data: it only counts the optimiser steps."""

from __future__ import annotations

import torch
from torch.utils.data import DataLoader


def no_loader(updates: int) -> DataLoader:
    """Yields 0, 1, ... updates - 1, in this process.

    Every pass over a loader draws a seed for workers, and a resumed run makes one pass more than one that was not
    stopped: with a generator of its own, nothing is drawn from the global random state.
    """
    return DataLoader(range(updates), batch_size=None, num_workers=0, generator=torch.Generator())
