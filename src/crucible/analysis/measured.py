"""What figures and claims read of a run: its curves and evaluations, each read once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from crucible.analysis.curves import Curve, running_mean, single, window_of
from crucible.analysis.evaluation import Evaluation, evaluations
from crucible.analysis.rows import Row, is_number
from crucible.analysis.runs import Run

ENTROPY = "policy/entropy"
SCORE = re.compile(r"eval/(?P<data>.+)/avg@(?P<n>\d+)")


@dataclass(frozen=True, slots=True)
class Score:
    """avg@n on one data set after `step` rollout steps."""

    step: float
    phase: str
    data: str
    n: int
    value: float


class Measured:
    """A run with its curves by rollout step and its evaluations, read when first asked for."""

    def __init__(self, run: Run):
        self.run = run

    @cached_property
    def _curves(self) -> dict[str, Curve]:
        return self.run.curves()

    @cached_property
    def rows(self) -> list[Row]:
        """The evaluations as they were stored."""
        return self.run.rows("eval")

    @cached_property
    def evaluations(self) -> list[Evaluation]:
        """Evaluations with right answers problem by problem."""
        return evaluations(self.rows)

    @cached_property
    def scores(self) -> list[Score]:
        """avg@n of every evaluation."""
        found = []
        for row in self.rows:
            for name, value in row.items():
                match = SCORE.fullmatch(name)
                if match and is_number(value):
                    phase = str(row.get("phase", ""))
                    found.append(Score(float(row["step"]), phase, match["data"], int(match["n"]), float(value)))
        return found

    @property
    def metrics(self) -> list[str]:
        return list(self._curves)

    def curve(self, metric: str) -> Curve | None:
        """A metric by step, finite values only; "a / b" is the quotient of two where the second is not 0."""
        if " / " in metric:
            return _quotient(*(self.curve(part.strip()) for part in metric.split(" / ", 1)))
        found = self._curves.get(metric)
        return None if found is None else found.finite()

    def exchange(self, data: str | None = None) -> tuple[list[float], list[float]]:
        """(entropy, avg@n) at every evaluation: the entropy of the policy that was evaluated.

        That is the entropy at the beginning of the next rollout step, from the curve smoothed as in figures (a
        single step's prompts differ too much); after the last step it is the last one known.
        """
        curve = self.curve(ENTROPY)
        if curve is None:
            return [], []
        scores = [s for s in self.scores if data is None or s.data == data]
        smooth = running_mean(curve.mean, window_of(len(curve)))
        return [float(np.interp(s.step + 1, curve.steps, smooth)) for s in scores], [s.value for s in scores]


def measured(runs: Sequence[Run]) -> list[Measured]:
    return [Measured(run) for run in runs]


def _quotient(a: Curve | None, b: Curve | None) -> Curve | None:
    if a is None or b is None:
        return None
    steps, i, j = np.intersect1d(a.steps, b.steps, return_indices=True)
    defined = b.mean[j] != 0
    if not defined.any():
        return None
    return single(steps[defined], a.mean[i][defined] / b.mean[j][defined])
