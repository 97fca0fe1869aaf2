"""A reward that random weights earn in different amounts, so that there is something to learn at once."""

from __future__ import annotations

import torch

from crucible.types import Scores


class CountsDigits:
    """The number of digits in the completion, times `right`, plus `wrong`."""

    needs: tuple[str, ...] = ()

    def __init__(self, *, right: float = 1.0, wrong: float = 0.0):
        self.right, self.wrong = right, wrong

    def __call__(self, prompts, completions):
        digits = torch.tensor([float(sum(c.isdigit() for c in x.text)) for x in completions])
        return Scores(self.right * digits + self.wrong, {"digits": digits})
