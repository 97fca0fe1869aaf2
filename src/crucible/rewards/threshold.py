"""A graded reward made a yes or no."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crucible.errors import UserError
from crucible.rewards.nodes import Asked, Transform
from crucible.types import Reward

if TYPE_CHECKING:
    from torch import Tensor


class Threshold(Transform):
    """`right` where the reward `raw` is at least `at_least`, else `wrong`; with `keep`, the raw value and not `right`.

    Unit tests: at_least=1 pays whole passes only; with `keep` it is the thresholded fraction of open-instruct's code
    verifier (0 below the share tau, else the share); tau is a choice of its own, 2509.20837.

    Errors: UserError where right is not above wrong.
    """

    def __init__(
        self, *, raw: Reward, at_least: float = 1.0, right: float = 1.0, wrong: float = 0.0, keep: bool = False
    ):
        if not right > wrong:
            raise UserError(f"reward threshold: right={right} must be above wrong={wrong}")
        super().__init__(raw)
        self.at_least, self.right, self.wrong, self.keep = at_least, right, wrong, keep

    def change(self, total: Tensor, known: Tensor, asked: Asked) -> Tensor:
        import torch

        reached = total >= self.at_least
        return torch.where(reached, total if self.keep else self.right, self.wrong)
