"""A reward that says nothing: what training on it does is not learned from the answers."""

from __future__ import annotations

from collections.abc import Sequence

from crucible.errors import UserError
from crucible.types import Completion, Context, Prompt, Scores


class Placebo:
    """1 with probability `probability`, else 0, whatever the answer: a control arm for claims about a method.

    Clipping alone can move a policy under such a reward ("Spurious Rewards", arXiv 2506.10947), so a gain counts only
    above this arm. The draws of a batch depend on the run's seed and on all prompts and texts of that batch, in their
    order, and on nothing else: no state to store, a resumed run draws the same, and equal completions of one prompt
    are drawn independently.

    Errors: UserError where `probability` is not strictly between 0 and 1 (no group would ever have a signal).
    """

    needs: tuple[str, ...] = ()

    def __init__(self, *, seed: int, probability: float = 0.5):
        if not 0.0 < probability < 1.0:
            raise UserError(f"reward.probability={probability}: it must be above 0 and below 1")
        self.seed, self.probability = seed, probability

    def __call__(self, prompts: Sequence[Prompt], completions: Sequence[Completion], context: Context) -> Scores:
        import torch

        from crucible.modules.seeds import derived_seed

        batch = [part for p, c in zip(prompts, completions, strict=True) for part in (p.id, len(c.text), c.text)]
        generator = torch.Generator().manual_seed(derived_seed(self.seed, "placebo", *batch))
        total = (torch.rand(len(batch) // 3, generator=generator) < self.probability).float()
        return Scores(total=total, components={"placebo": total})
