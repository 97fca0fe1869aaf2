"""A verifier with errors of known rates, made from one without."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from crucible.errors import UserError, nearest
from crucible.rewards.nodes import Asked, Transform
from crucible.types import Reward

if TYPE_CHECKING:
    from torch import Tensor

_PER = ("sample", "group")


class Flipped(Transform):
    """1 - r with probability `false_positive` where r = 0 and `false_negative` where r = 1, else r.

    The verifier channel of 2510.00915 (rho0 and rho1; the defaults are its synthetic test), whose corrections are
    algo/advantage=noisy_backward and noisy_forward. `per` sample, one toss for each row; per group, one for each
    prompt: with equal rates a whole group is turned around, the stress test of 2505.22653 (authors' code), milder for
    group-relative advantages. Evaluations are never flipped, and `raw` is the reward before. The tosses depend on the
    run's seed and on all prompts and texts of the batch, in their order: nothing to store, a resumed run draws the
    same. Rows without a value have none after it.

    Errors: UserError for rates outside [0, 1], another `per`, and rewards that are not 0 or 1.
    """

    monotone = False

    def __init__(
        self,
        *,
        raw: Reward,
        seed: int,
        false_positive: float = 0.1,
        false_negative: float = 0.2,
        per: Literal["sample", "group"] = "sample",
    ):
        for name, rate in {"false_positive": false_positive, "false_negative": false_negative}.items():
            if not 0.0 <= rate <= 1.0:
                raise UserError(f"reward.{name}={rate}: a probability, from 0 to 1")
        if per not in _PER:
            raise UserError(f'reward flipped: per is "{per}"; give sample or group{nearest(per, _PER)}')
        super().__init__(raw)
        self.seed, self.false_positive, self.false_negative, self.per = seed, false_positive, false_negative, per

    def change(self, total: Tensor, known: Tensor, asked: Asked) -> Tensor:
        import torch

        if not bool(((total == 0) | (total == 1)).all()):
            wrong = float(total[(total != 0) & (total != 1)][0])
            raise UserError(f"reward flipped: a reward is {wrong:g}; only 0 and 1 can be flipped; see reward=threshold")
        if not asked.context.training:
            return total
        toss = self.tosses(asked)
        if self.per == "group":
            toss = toss[torch.unique(asked.context.group, return_inverse=True)[1]]
        rate = torch.where(total == 1, self.false_negative, self.false_positive)
        return torch.where(toss < rate, 1.0 - total, total)

    def tosses(self, asked: Asked) -> Tensor:
        """(N,) uniform numbers in [0, 1)."""
        import torch

        from crucible.modules.seeds import derived_seed

        batch = [
            part for p, c in zip(asked.prompts, asked.completions, strict=True) for part in (p.id, len(c.text), c.text)
        ]
        generator = torch.Generator().manual_seed(derived_seed(self.seed, "flipped", *batch))
        return torch.rand(len(asked.prompts), generator=generator)
