"""How one call of a verifier ended. Nothing here imports torch: the workers read it too."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from crucible.types import Scores

Kind = Literal["value", "abstain", "timeout", "error"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Exactly one of: a value; an abstention (there is no verdict, e.g. the gold answer cannot be read); a time-out;
    an error (the verifier broke). `problem` says what went wrong, `seconds` is wall-clock time."""

    kind: Kind
    value: float = math.nan
    problem: str = ""
    seconds: float = 0.0


def scores_of(name: str, outcomes: Sequence[Outcome]) -> Scores:
    """Scores with one component. Rows without a value are invalid: total 0, component NaN."""
    import torch

    from crucible.types import OUTCOMES, Outcomes, Scores

    kinds = torch.tensor([OUTCOMES.index(o.kind) for o in outcomes], dtype=torch.int8)
    values = torch.tensor([o.value for o in outcomes], dtype=torch.float32)
    valid = kinds == OUTCOMES.index("value")
    problem = next((o.problem for o in outcomes if o.kind in ("timeout", "error")), "")
    return Scores(
        total=torch.where(valid, values, 0.0),
        components={name: torch.where(valid, values, math.nan)},
        valid=None if bool(valid.all()) else valid,
        outcomes={name: Outcomes(kinds, torch.tensor([o.seconds for o in outcomes]), problem)},
    )
