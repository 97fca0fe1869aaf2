"""The annotator of the generated pool: reads the moves that were planted, whatever the notation, by rules."""

from __future__ import annotations

import random
from collections.abc import Sequence

from crucible.cotp.chains import CoT
from crucible.cotp.patterns.annotate import Failed
from crucible.data.cot_moves import WORDINGS, read
from crucible.errors import UserError


class RuleAnnotator:
    """Labels the moves of `crucible.data.cot_moves`. With the chance `reworded` a label is worded differently, as a
    language model would now and then; the wording depends on the chain alone, so annotating again gives the same."""

    def __init__(self, *, reworded: float = 0.25) -> None:
        if not 0 <= reworded <= 1:
            raise UserError(f"reworded={reworded}: must be a share from 0 to 1")
        self.reworded = reworded

    def __call__(self, chains: Sequence[CoT]) -> list[list[str] | Failed]:
        return [self.one(chain) for chain in chains]

    def one(self, chain: CoT) -> list[str]:
        rng = random.Random(f"annotator {chain.id}")
        return [WORDINGS[kind][rng.random() < self.reworded] for kind in read(chain.completion)]
