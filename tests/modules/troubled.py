"""Parts that bring a run into trouble."""

from __future__ import annotations

import math
import os
import signal
from pathlib import Path

import torch
from tests.small_world import CountsDigits

from crucible.types import PolicyLoss


def no_number_in_step_two(logps, advantages, mask, progress):
    """REINFORCE whose value and gradient are NaN in the second of four steps."""
    return PolicyLoss(-advantages * logps * (math.nan if progress == 0.25 else 1.0))


def never_a_number(logps, advantages, mask):
    return PolicyLoss(advantages * logps * math.inf)


class HasAPath(CountsDigits):
    """A reward whose state is more than plain values."""

    def state_dict(self):
        return {"where": Path("/tmp")}


def rank_one_dies(logps, advantages, mask, progress):
    """As a process does that the system kills for want of memory, in the second step."""
    if progress > 0 and torch.distributed.get_rank() == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return PolicyLoss(-advantages * logps)


def rank_zero_dies(logps, advantages, mask, progress):
    """The same of the main process."""
    if progress > 0 and torch.distributed.get_rank() == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return PolicyLoss(-advantages * logps)


def rank_one_fails(logps, advantages, mask, progress):
    """An error in the second step of one rank alone."""
    if progress > 0 and torch.distributed.get_rank() == 1:
        raise ValueError("no such number")
    return PolicyLoss(-advantages * logps)
