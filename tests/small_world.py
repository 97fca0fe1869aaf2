"""A reward that random weights earn in different amounts, so that there is something to learn at once."""

from __future__ import annotations

import torch

from crucible.types import Scores


class CountsDigits:
    """The number of digits in the completion, times `right`, plus `wrong`."""

    needs: tuple[str, ...] = ()

    def __init__(self, *, right: float = 1.0, wrong: float = 0.0):
        self.right, self.wrong = right, wrong

    def __call__(self, prompts, completions, context):
        digits = torch.tensor([float(sum(c.isdigit() for c in x.text)) for x in completions])
        return Scores(self.right * digits + self.wrong, {"digits": digits})


class HasDigits(CountsDigits):
    """`right` for three digits or more, else `wrong`: about half of the random completions have them."""

    def __call__(self, prompts, completions, context):
        digits = super().__call__(prompts, completions, context).components["digits"]
        return Scores(torch.where(digits >= 3, self.right, self.wrong), {"digits": digits})
