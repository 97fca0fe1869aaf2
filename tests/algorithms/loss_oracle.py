"""Policy losses a second time, token by token in plain Python: the cells of the papers' tables.

Each function gives (value, F) of one token, where d loss / d log pi = -F * A. Nothing here is imported
from the code under test and nothing is differentiated: F is what the papers say it is.
"""

from __future__ import annotations

import math


def ppo_clip(log_delta, a, logp, *, eps_low, eps_high, dual_clip=None):
    delta = math.exp(log_delta)
    if a > 0:
        return (-a * (1 + eps_high), 0.0) if delta > 1 + eps_high else (-a * delta, delta)
    if a < 0:
        if delta < 1 - eps_low:
            return -a * (1 - eps_low), 0.0
        if dual_clip is not None and delta > dual_clip:
            return -a * dual_clip, 0.0
        return -a * delta, delta
    return 0.0, 0.0


def ce_gppo(log_delta, a, logp, *, beta1, beta2, eps_low, eps_high, dual_clip=None):
    delta = math.exp(log_delta)
    if a > 0 and delta > 1 + eps_high:
        weight = beta2 * (1 + eps_high)
        return -a * weight, weight
    if a < 0 and delta < 1 - eps_low:
        weight = beta1 * (1 - eps_low)
        return -a * weight, weight
    if a < 0 and dual_clip is not None and delta > dual_clip:
        return -a * dual_clip, 0.0
    return -a * delta, delta


def cispo(log_delta, a, logp, *, eps_low, eps_high):
    delta = math.exp(log_delta)
    weight = min(delta, 1 + eps_high)
    if eps_low is not None:
        weight = max(weight, 1 - eps_low)
    return -weight * a * logp, weight


def reinforce(log_delta, a, logp):
    return -a * logp, 1.0


def gspo_row(log_deltas, a, *, eps_low, eps_high):
    """(value, F) of a whole row: the same for each of its tokens."""
    s = math.exp(sum(log_deltas) / len(log_deltas))
    if (a > 0 and s > 1 + eps_high) or (a < 0 and s < 1 - eps_low):
        return -a * min(max(s, 1 - eps_low), 1 + eps_high), 0.0
    return -a * s, s
