"""data/select=limr: chains of the questions whose learning curves go with the average one (LIMR, arXiv 2502.11886)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from crucible.cotp.selection import Pool, Selection
from crucible.errors import UserError, expanded
from crucible.rundir.atomic import explained

Curve = Sequence[float | None]


def alignment(curves: Mapping[str, Curve]) -> dict[str, float]:
    """s_i = 1 - sum_k (r_i^k - m^k)^2 / sum_k (1 - m^k)^2 for each question; m is the mean curve, k counts epochs.

    Source: LIMR, arXiv 2502.11886, text and official script. An epoch without a value takes the next one's; questions
    whose last epoch has none are left out. Where the mean curve is 1 throughout the score is 0 (ours: it is 0/0).
    Errors: UserError for curves of different length.
    """
    epochs = {len(curve) for curve in curves.values()}
    if len(epochs) != 1:
        raise UserError(f"learning curves need one number of epochs, these have {sorted(epochs)}")
    filled = {name: full for name, curve in curves.items() if (full := _filled(curve)) is not None}
    if not filled:
        raise UserError("no learning curve has a value in its last epoch")
    r = np.array(list(filled.values()))
    mean = r.mean(0)
    room = float(((1 - mean) ** 2).sum())
    scores = 1 - ((r - mean) ** 2).sum(1) / room if room else np.zeros(len(r))
    return dict(zip(filled, scores.tolist(), strict=True))


class LIMR:
    """The t * o chains of the best aligned questions; equally good ones in the order of the pool.

    curves: a file with a line {"question": id, "accuracies": [0.0, 0.5, null]} for each question, by epoch of one
    reference RL run (python -m crucible.cotp curves makes one from a series of policies). threshold: chains of
    questions below it are never taken, so fewer may come back; the paper's is 0.6 (and no t * o).
    Differs from the paper: it selects questions for RL; here chains about them for SFT.
    """

    def __init__(self, *, curves: str, threshold: float | None = None) -> None:
        self.curves, self.threshold = curves, threshold

    def __call__(self, pool: Pool) -> Selection:
        scores = alignment(read_curves(expanded(self.curves)))
        known = [i for i, chain in enumerate(pool.items) if chain.question in scores]
        least = -math.inf if self.threshold is None else self.threshold
        fitting = [i for i in known if scores[pool.items[i].question] >= least]
        if not fitting:
            raise UserError(
                f"data.select.curves={self.curves}: {len(known)} of {len(pool.items)} chains of the pool have a curve, "
                f"none has a score of {least:g} or more"
            )
        order = sorted(fitting, key=lambda i: (-scores[pool.items[i].question], i))
        return Selection(order[: pool.wanted])


def read_curves(path: Path) -> dict[str, Curve]:
    """Errors: UserError that names file and line."""
    with explained("cannot read", path):
        lines = path.read_bytes().splitlines()
    found: dict[str, Curve] = {}
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            curve = [None if a is None else float(a) for a in row["accuracies"]]
            name = str(row["question"])
        except (ValueError, TypeError, KeyError):
            raise UserError(f'{path}:{number} is no {{"question": id, "accuracies": [numbers]}}') from None
        if any(a is not None and not 0 <= a <= 1 for a in curve):
            raise UserError(f"{path}:{number}: accuracies must be from 0 to 1, or null")
        if name in found:
            raise UserError(f"{path}:{number}: question {name} has two curves")
        found[name] = curve
    if not found:
        raise UserError(f"{path} has no learning curves")
    return found


def _filled(curve: Curve) -> list[float] | None:
    """Gaps take the next epoch's value; None where there is no next."""
    found: list[float] = []
    for value in reversed(curve):
        if value is None and not found:
            return None
        found.append(found[-1] if value is None else value)
    return found[::-1] or None
