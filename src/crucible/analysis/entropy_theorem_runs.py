"""The entropy theorem on trained models: logged entropy changes against the logged covariance.

A run logs at every optimiser step the exact mean entropy (`policy/entropy`) and the covariance of log-prob and
advantage over the tokens it trains on (`policy/covariance`), both before the step. The theorem says
dH = -eta Cov with one eta; with Adam and shared parameters only its direction can be expected, so what is reported
is the correlation of dH with -Cov, and the slope (the effective eta).

Every step sees other prompts, and prompts differ in entropy and in covariance together: after a step with prompts of
high entropy the difference to the next step is negative for no other reason, whatever the policy did. So the
covariance of a block of steps is set against the entropy of the block after it minus that of the block BEFORE it;
neither is measured on the block's own prompts.

Differs from the paper: Eq. 7 is for a tabular softmax and the covariance under pi of one state; here tokens
of all states are pooled, and dH is measured on other tokens than Cov.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from crucible.analysis.measured import Measured
from crucible.errors import UserError

Array = NDArray[np.float64]
ENTROPY, COVARIANCE = "policy/entropy", "policy/covariance"
WINDOW = 5  # steps of a block


@dataclass(frozen=True, slots=True)
class Pairs:
    """What the covariance of each block predicts, and the entropy change across it, of one run (n,), in order."""

    run: str
    predicted: Array  # to be scaled by eta
    measured: Array  # nats

    def __len__(self) -> int:
        return len(self.predicted)


@dataclass(frozen=True, slots=True)
class Agreement:
    """Correlation and slope over runs with 95 % bootstrap intervals (low, high)."""

    correlation: float
    correlation_interval: tuple[float, float]
    slope: float
    slope_interval: tuple[float, float]
    same_sign: float  # share of blocks on which dH and -Cov have one sign
    n: int  # blocks
    runs: int

    def __str__(self) -> str:
        (r_low, r_high), (s_low, s_high) = self.correlation_interval, self.slope_interval
        return (
            f"correlation {self.correlation:.3f} [{r_low:.3f}, {r_high:.3f}], "
            f"slope {self.slope:.3g} [{s_low:.3g}, {s_high:.3g}], "
            f"same sign {self.same_sign:.0%}, {self.n} blocks of {self.runs} runs"
        )


def pairs(run: str, steps: ArrayLike, entropy: ArrayLike, covariance: ArrayLike, *, window: int = WINDOW) -> Pairs:
    """Pairs of one run, one a block of `window` steps, from its curves by step (n,).

    predicted = -(mean Cov of the block) x 2 window, the steps between the blocks on its sides; measured = their
    entropy difference. Blocks with a gap in the steps are left out.
    """
    s, h, c = (np.asarray(x, dtype=np.float64) for x in (steps, entropy, covariance))
    count = len(s) // window
    s, h, c = (x[: count * window].reshape(count, window) for x in (s, h, c))
    if count < 3:
        return Pairs(run, np.empty(0), np.empty(0))
    whole = s[2:, -1] - s[:-2, 0] == 3 * window - 1
    predicted, measured = -2 * window * c[1:-1].mean(1), h[2:].mean(1) - h[:-2].mean(1)
    return Pairs(run, predicted[whole], measured[whole])


def pairs_of(run: Measured, covariance: str = COVARIANCE) -> Pairs | None:
    """Pairs of a run out of its curves; None where it has no such metrics. Needs curves that are not thinned out."""
    h, c = run.curve(ENTROPY), run.curve(covariance)
    if h is None or c is None:
        return None
    steps, i, j = np.intersect1d(h.steps, c.steps, return_indices=True)
    return pairs(run.run.name, steps, h.mean[i], c.mean[j])


def agreement(found: Sequence[Pairs], *, resamples: int = 2000, seed: int = 0) -> Agreement:
    """Correlation and slope of dH on -Cov over the runs, each centred by itself.

    Interval: runs are resampled, and in each run n^(1/3) neighbours in a row, since they overlap (circular block
    bootstrap, Politis and Romano 1992); percentiles.
    Errors: UserError for fewer than 10 pairs.
    """
    found = [p for p in found if len(p) > 1]
    n = sum(map(len, found))
    if n < 10:
        needed = f"{ENTROPY} and its covariance of at least 10 blocks of {WINDOW} steps"
        raise UserError(f"the entropy theorem needs {needed}, found {n}")
    draws = _estimates(_resampled(found, resamples, np.random.default_rng(seed)))
    low, high = np.nanpercentile(draws, [2.5, 97.5], axis=1)
    correlation, slope = _estimates(np.sum([_moments(p.predicted, p.measured) for p in found], axis=0))
    same = np.concatenate([np.sign(p.predicted) == np.sign(p.measured) for p in found])
    return Agreement(
        float(correlation),
        (float(low[0]), float(high[0])),
        float(slope),
        (float(low[1]), float(high[1])),
        float(same.mean()),
        n,
        len(found),
    )


def _moments(x: Array, y: Array) -> Array:
    """(..., 3) out of pairs (..., n): sums of squares of x and of y, and of their products, about the means."""
    x, y = (v - v.mean(-1, keepdims=True) for v in (x, y))
    return np.stack([(x * x).sum(-1), (y * y).sum(-1), (x * y).sum(-1)], axis=-1)


def _estimates(moments: Array) -> Array:
    """Correlation and slope (2, ...) out of moments (..., 3) added up over runs; NaN where nothing varies."""
    xx, yy, xy = np.moveaxis(np.asarray(moments), -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((xx > 0) & (yy > 0), np.stack([xy / np.sqrt(xx * yy), xy / xx]), np.nan)


def _resampled(found: Sequence[Pairs], resamples: int, rng: np.random.Generator) -> Array:
    """Moments (resamples, 3) of as many runs as there are, drawn with replacement, and in each of drawn blocks."""
    chosen = rng.integers(len(found), size=(resamples, len(found)))
    moments = np.empty((*chosen.shape, 3))
    for i, p in enumerate(found):
        here = chosen == i
        block = max(1, round(len(p) ** (1 / 3)))
        starts = rng.integers(len(p), size=(int(here.sum()), -(-len(p) // block), 1))
        index = (starts + np.arange(block)).reshape(len(starts), -1)[:, : len(p)] % len(p)
        moments[here] = _moments(p.predicted[index], p.measured[index])
    return moments.sum(axis=1)
