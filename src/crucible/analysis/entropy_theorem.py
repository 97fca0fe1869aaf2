"""CE-GPPO's entropy theorem (arXiv 2509.20712, Eq. 7, appendix A.2; first stated in 2505.22617), checked.

For a tabular softmax with logits z (S, V) and advantages A (S, V), E_{a ~ pi}[A] = 0, one small step of size eta:

    policy gradient    dz = eta pi A     dH = -eta Cov_{a ~ pi}(log pi, pi A) + O(eta^2)
    natural gradient   dz = eta A        dH = -eta Cov_{a ~ pi}(log pi, A)    + O(eta^2)

Arrays are NumPy float64; S states, V actions; entropies in nats. The other half of the check, on a trained
model's logged metrics, is in `entropy_theorem_runs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_softmax

Array = NDArray[np.float64]
Rule = Literal["policy", "natural"]


def entropy(logits: ArrayLike) -> Array:
    """Entropy of softmax(logits) in each state (S,)."""
    logp = _log_probabilities(logits)
    return np.asarray(-(np.exp(logp) * logp).sum(-1))


def centred(logits: ArrayLike, advantages: ArrayLike) -> Array:
    """Advantages with their mean under the policy taken off, as the theorem assumes (S, V)."""
    probability, a = np.exp(_log_probabilities(logits)), np.asarray(advantages, dtype=np.float64)
    return a - (probability * a).sum(-1, keepdims=True)


def logit_step(logits: ArrayLike, advantages: ArrayLike, rule: Rule = "policy") -> Array:
    """dz / eta (S, V): pi A for the exact policy gradient of E_pi[A], A for the natural one."""
    a = centred(logits, advantages)
    return np.exp(_log_probabilities(logits)) * a if rule == "policy" else a


def covariance(logits: ArrayLike, advantages: ArrayLike, rule: Rule = "policy") -> Array:
    """Cov_{a ~ pi}(log pi, pi A), or Cov_{a ~ pi}(log pi, A) for the natural gradient (S,)."""
    logp = _log_probabilities(logits)
    p, step = np.exp(logp), logit_step(logits, advantages, rule)
    mean_logp, mean_step = ((p * x).sum(-1, keepdims=True) for x in (logp, step))
    return np.asarray((p * (logp - mean_logp) * (step - mean_step)).sum(-1))


def predicted_change(logits: ArrayLike, advantages: ArrayLike, eta: float, rule: Rule = "policy") -> Array:
    """The theorem's entropy change of one step of size `eta` (S,)."""
    return -eta * covariance(logits, advantages, rule)


def measured_change(logits: ArrayLike, advantages: ArrayLike, eta: float, rule: Rule = "policy") -> Array:
    """The entropy change of that step, made (S,)."""
    z = np.asarray(logits, dtype=np.float64)
    return entropy(z + eta * logit_step(z, advantages, rule)) - entropy(z)


def change_of_one_token(logits: ArrayLike, action: int, advantage: float, eta: float) -> float:
    """Entropy change of one step on one sampled token: dz = eta A (1[a] - pi). logits (V,)."""
    z = np.asarray(logits, dtype=np.float64)
    step = -np.exp(_log_probabilities(z))
    step[action] += 1.0
    return float(entropy(z + eta * advantage * step) - entropy(z))


def quadrant_signs(logits: ArrayLike = (2.0, 0.5, 0.0, -1.0), eta: float = 1e-3) -> dict[str, float]:
    """Entropy change of a step on the most and on the least likely token, for A = +1 and A = -1.

    Keys pa_hp, na_lp, pa_lp, na_hp; the paper (section 3.2) says -, -, +, +.
    """
    z = np.asarray(logits, dtype=np.float64)
    high, low = int(z.argmax()), int(z.argmin())
    cases = {"pa_hp": (high, 1.0), "na_lp": (low, -1.0), "pa_lp": (low, 1.0), "na_hp": (high, -1.0)}
    return {name: change_of_one_token(z, token, advantage, eta) for name, (token, advantage) in cases.items()}


@dataclass(frozen=True, slots=True)
class TabularCheck:
    """Predicted and measured entropy changes of random states at one step size."""

    rule: Rule
    eta: float
    predicted: Array  # (S,)
    measured: Array  # (S,)

    @property
    def relative_error(self) -> float:
        """Root mean square of measured - predicted over that of predicted: falls in proportion to eta."""
        return float(np.sqrt(((self.measured - self.predicted) ** 2).mean() / (self.predicted**2).mean()))


def tabular_checks(
    etas: Sequence[float] = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001),
    *,
    rule: Rule = "policy",
    states: int = 64,
    actions: int = 32,
    seed: int = 0,
) -> list[TabularCheck]:
    """The check on `states` random softmaxes with random advantages, one entry a step size."""
    rng = np.random.default_rng(seed)
    logits, advantages = rng.normal(scale=2.0, size=(states, actions)), rng.normal(size=(states, actions))
    return [
        TabularCheck(
            rule,
            eta,
            predicted_change(logits, advantages, eta, rule),
            measured_change(logits, advantages, eta, rule),
        )
        for eta in etas
    ]


def _log_probabilities(logits: ArrayLike) -> Array:
    return np.asarray(log_softmax(np.asarray(logits, dtype=np.float64), axis=-1))
