"""The global random states of a process, as plain values that a checkpoint loads without trusting it.

What Crucible draws has seeds of its own (seeds.py); this is for what models and methods draw by themselves: dropout,
noise, and whatever a user's method asks of Python or NumPy.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch


def seed_global(seed: int) -> None:
    """Python's and NumPy's states, which start from the time of day otherwise; torch's does not."""
    random.seed(seed)
    np.random.seed(seed % 2**32)


def random_state() -> dict[str, Any]:
    """Of Python, NumPy, torch, and every GPU there is."""
    kind, key, *rest = np.random.get_state()
    return {
        "python": random.getstate(),
        "numpy": [str(kind), key.tolist(), *rest],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def restore_random_state(state: Mapping[str, Any]) -> None:
    """Go on where `random_state` was taken. On another number of GPUs theirs start anew."""
    version, inner, gauss = state["python"]
    random.setstate((version, tuple(inner), gauss))
    kind, key, *rest = state["numpy"]
    np.random.set_state((kind, np.array(key, dtype=np.uint32), *rest))
    torch.set_rng_state(state["torch"])
    if state["cuda"] and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
