"""Each loss of pairs against closed forms for value and both derivatives, and the catalogue's numbers."""

from __future__ import annotations

import math

import pytest
import torch

from crucible.algorithms.preference.apo_down import apo_down
from crucible.algorithms.preference.apo_zero import apo_zero
from crucible.algorithms.preference.bco_pair import bco_pair
from crucible.algorithms.preference.cpo import cpo
from crucible.algorithms.preference.discopop import discopop
from crucible.algorithms.preference.dpo import dpo
from crucible.algorithms.preference.dpo_norm import dpo_norm
from crucible.algorithms.preference.exo_pair import exo_pair
from crucible.algorithms.preference.f_dpo import f_dpo
from crucible.algorithms.preference.hinge import hinge
from crucible.algorithms.preference.ipo import ipo
from crucible.algorithms.preference.ld_dpo import ld_dpo
from crucible.algorithms.preference.nca_pair import nca_pair
from crucible.algorithms.preference.orpo import orpo
from crucible.algorithms.preference.rdpo import rdpo
from crucible.algorithms.preference.rpo import rpo
from crucible.algorithms.preference.simpo import simpo
from crucible.algorithms.preference.sppo_hard import sppo_hard
from crucible.algorithms.preference.wpo import wpo
from crucible.errors import UserError
from preference.preference_cases import LOGPS, built, items_of, pairs, value_and_slopes


def s(x):
    return 1.0 / (1.0 + math.exp(-x)) if x > 0 else math.exp(x) / (1.0 + math.exp(x))


def nls(x):
    """-log s(x), whose derivative is s(x) - 1."""
    return math.log1p(math.exp(-x)) if x > 0 else -x + math.log1p(math.exp(x))


def ratios(x):
    return (
        x["chosen_logps"] - x["reference_chosen_logps"],
        x["rejected_logps"] - x["reference_rejected_logps"],
    )


# each gives (value, derivative in the better answer's log-prob, derivative in the worse one's)


def oracle_logistic(x, *, beta=0.1, label_smoothing=0.0):
    u, v = ratios(x)
    d, e = beta * (u - v), label_smoothing
    slope = beta * ((1 - e) * (s(d) - 1) + e * s(d))
    return (1 - e) * nls(d) + e * nls(-d), slope, -slope


def oracle_robust(x, *, beta=0.1, label_smoothing=0.1):
    u, v = ratios(x)
    d, e = beta * (u - v), label_smoothing
    slope = beta * ((1 - e) * (s(d) - 1) - e * s(d)) / (1 - 2 * e)
    return ((1 - e) * nls(d) - e * nls(-d)) / (1 - 2 * e), slope, -slope


def oracle_identity(x, *, beta=0.1, by_token=True):
    u, v = ratios(x)
    m, n = (x["chosen_lengths"], x["rejected_lengths"]) if by_token else (1.0, 1.0)
    error = u / m - v / n - 1 / (2 * beta)
    return error**2, 2 * error / m, -2 * error / n


def oracle_margin(x, *, beta=0.1):
    u, v = ratios(x)
    d = beta * (u - v)
    return (1 - d, -beta, beta) if d < 1 else (0.0, 0.0, 0.0)


def oracle_exact(x, *, beta=0.1, label_smoothing=0.001):
    u, v = ratios(x)
    d = beta * (u - v)
    q, p = s(d), 1 - label_smoothing
    value = q * (math.log(q) - math.log(p)) + (1 - q) * (math.log(1 - q) - math.log(1 - p))
    slope = beta * q * (1 - q) * (d - math.log(p / (1 - p)))  # log q - log(1 - q) = d
    return value, slope, -slope


def oracle_contrast(x, *, beta=0.01):
    u, v = (beta * r for r in ratios(x))
    return nls(u) + 0.5 * nls(-u) + 0.5 * nls(-v), beta * (s(u) - 1 + 0.5 * s(u)), beta * 0.5 * s(v)


def oracle_classifier(x, *, beta=0.1):
    u, v = (beta * r for r in ratios(x))
    return nls(u) + nls(-v), beta * (s(u) - 1), beta * s(v)


def oracle_self_play(x, *, beta=0.001):
    u, v = ratios(x)
    a, b = u - 1 / (2 * beta), v + 1 / (2 * beta)
    return a * a + b * b, 2 * a, 2 * b


def oracle_anchored_up(x, *, beta=0.1):
    u, v = (beta * r for r in ratios(x))
    return 1 - s(u) + s(v), -beta * s(u) * (1 - s(u)), beta * s(v) * (1 - s(v))


def oracle_anchored_down(x, *, beta=0.1):
    u, v = (beta * r for r in ratios(x))
    pull = beta * s(u - v) * (1 - s(u - v))
    return s(u) + 1 - s(u - v), beta * s(u) * (1 - s(u)) - pull, pull


def oracle_discovered(x, *, beta=0.05, tau=0.05):
    u, v = ratios(x)
    d = beta * (u - v)
    m = s(d / tau)
    value = (1 - m) * nls(d) + m * math.exp(-d)
    slope = beta * (m * (1 - m) / tau * (math.exp(-d) - nls(d)) + (1 - m) * (s(d) - 1) - m * math.exp(-d))
    return value, slope, -slope


def oracle_divergence(x, *, beta=0.1, divergence="jensen_shannon", alpha=0.5):
    def score(r):
        if divergence == "forward_kl":
            return 1 - math.exp(-r), math.exp(-r)
        if divergence == "jensen_shannon":
            return math.log(2) - nls(r), 1 - s(r)
        return (math.exp((alpha - 1) * r) - 1) / (alpha - 1), math.exp((alpha - 1) * r)

    (f, df), (g, dg) = (score(r) for r in ratios(x))
    d = beta * (f - g)
    return nls(d), beta * (s(d) - 1) * df, -beta * (s(d) - 1) * dg


def oracle_by_length(x, *, beta=5.0):
    u, v = ratios(x)
    d = beta * (u / x["chosen_lengths"] - v / x["rejected_lengths"])
    return nls(d), beta * (s(d) - 1) / x["chosen_lengths"], -beta * (s(d) - 1) / x["rejected_lengths"]


def oracle_desensitised(x, *, beta=0.1, alpha=0.5):
    def ratio(side):
        rest = x[f"{side}_logps"] - x[f"{side}_shared_logps"]
        frozen_rest = x[f"reference_{side}_logps"] - x[f"reference_{side}_shared_logps"]
        shared = x[f"{side}_shared_logps"] - x[f"reference_{side}_shared_logps"]
        return shared + alpha * (rest - frozen_rest)

    d = beta * (ratio("chosen") - ratio("rejected"))
    slope = beta * (s(d) - 1)
    return nls(d), alpha * slope, -alpha * slope


def oracle_weighted(x, *, beta=0.1):
    value, up, down = oracle_logistic(x, beta=beta)
    weight = math.exp(x["chosen_typicality"]) * math.exp(x["rejected_typicality"])
    return weight * value, weight * up, weight * down


def oracle_imitating(x, *, beta=0.1, alpha=1.0):
    value, up, down = oracle_logistic(x, beta=beta)
    n = x["chosen_lengths"]
    return value - alpha * x["chosen_logps"] / n, up - alpha / n, down


def oracle_odds(x, *, beta=0.1):
    m, n = x["chosen_lengths"], x["rejected_lengths"]
    p, q = math.exp(x["chosen_logps"] / m), math.exp(x["rejected_logps"] / n)
    d = math.log(p / (1 - p)) - math.log(q / (1 - q))
    mean = x["mean_chosen_length"]
    pull = beta * (s(d) - 1)
    return -x["chosen_logps"] / mean + beta * nls(d), -1 / mean + pull / (m * (1 - p)), -pull / (n * (1 - q))


def oracle_simple(x, *, beta=2.0, gamma=1.0, alpha=0.0, label_smoothing=0.0):
    m, n, e = x["chosen_lengths"], x["rejected_lengths"], label_smoothing
    a, b = x["chosen_logps"] / m, x["rejected_logps"] / n
    da = db = 1.0
    if alpha:
        da, db = math.exp(-alpha * a), math.exp(-alpha * b)
        a, b = (1 - da) / alpha, (1 - db) / alpha
    d = beta * (a - b) - gamma
    slope = beta * ((1 - e) * (s(d) - 1) + e * s(d))
    return (1 - e) * nls(d) + e * nls(-d), slope * da / m, -slope * db / n


def oracle_without_reference(x, *, beta=0.1, alpha=1.0, label_smoothing=0.0):
    d, e, mean = beta * (x["chosen_logps"] - x["rejected_logps"]), label_smoothing, x["mean_chosen_length"]
    slope = beta * ((1 - e) * (s(d) - 1) + e * s(d))
    value = (1 - e) * nls(d) + e * nls(-d) - alpha * x["chosen_logps"] / mean
    return value, slope - alpha / mean, -slope


CASES = [
    (dpo, oracle_logistic, {}),
    (dpo, oracle_logistic, {"beta": 0.7, "label_smoothing": 0.1}),
    (rdpo, oracle_robust, {}),
    (rdpo, oracle_robust, {"beta": 0.5, "label_smoothing": 0.3}),
    (ipo, oracle_identity, {}),
    (ipo, oracle_identity, {"by_token": False, "beta": 0.3}),
    (hinge, oracle_margin, {}),
    (hinge, oracle_margin, {"beta": 0.6}),
    (exo_pair, oracle_exact, {}),
    (nca_pair, oracle_contrast, {}),
    (nca_pair, oracle_contrast, {"beta": 0.4}),
    (bco_pair, oracle_classifier, {}),
    (sppo_hard, oracle_self_play, {"beta": 0.1}),
    (apo_zero, oracle_anchored_up, {"beta": 0.5}),
    (apo_down, oracle_anchored_down, {"beta": 0.5}),
    (discopop, oracle_discovered, {}),
    (f_dpo, oracle_divergence, {}),
    (f_dpo, oracle_divergence, {"divergence": "forward_kl"}),
    (f_dpo, oracle_divergence, {"divergence": "alpha", "alpha": 0.3, "beta": 0.5}),
    (dpo_norm, oracle_by_length, {}),
    (ld_dpo, oracle_desensitised, {}),
    (ld_dpo, oracle_desensitised, {"alpha": 0.1, "beta": 0.5}),
    (wpo, oracle_weighted, {}),
    (rpo, oracle_imitating, {}),
    (rpo, oracle_imitating, {"alpha": 0.005, "beta": 0.01}),
    (orpo, oracle_odds, {}),
    (orpo, oracle_odds, {"beta": 1.5}),
    (simpo, oracle_simple, {}),
    (simpo, oracle_simple, {"alpha": 0.25, "beta": 2.5, "gamma": 0.75, "label_smoothing": 0.1}),
    (cpo, oracle_without_reference, {}),
    (cpo, oracle_without_reference, {"alpha": 0.0, "label_smoothing": 0.2}),
]


@pytest.mark.parametrize(("loss", "oracle", "options"), CASES, ids=[f"{c[0].__name__} {c[2]}" for c in CASES])
def test_value_and_both_derivatives_pair_by_pair(loss, oracle, options):
    for seed in range(3):
        given = pairs(seed)
        found = value_and_slopes(built(loss.__name__, **options), given)
        expected = torch.tensor([oracle(x, **options) for x in items_of(given)], dtype=torch.float64)
        for column, got in enumerate(found):
            torch.testing.assert_close(got, expected[:, column], rtol=1e-10, atol=1e-10)
        assert all(slope.abs().max() > 0 for slope in found[1:])


# w = 1, l = -.5, |y_w| = 5, |y_l| = 6: the catalogue's shared numbers
SHARED = {
    "chosen_logps": -10.0, "rejected_logps": -12.0, "reference_chosen_logps": -11.0, "reference_rejected_logps": -11.5,
    "chosen_lengths": 5.0, "rejected_lengths": 6.0,
}  # fmt: skip
# a = (-.5, -1)
MEANS = {"chosen_logps": -0.5, "rejected_logps": -1.0, "chosen_lengths": 1.0, "rejected_lengths": 1.0}


@pytest.mark.parametrize(
    ("name", "options", "numbers", "expected"),
    [
        ("dpo", {}, SHARED, 0.620957),
        ("cdpo", {}, SHARED, 0.635957),
        ("rdpo", {}, SHARED, 0.602207),
        ("ipo", {}, SHARED, 22.246944),
        ("ipo", {"by_token": False}, SHARED, 12.25),
        ("hinge", {}, SHARED, 0.85),
        ("nca_pair", {"beta": 0.1}, SHARED, 1.350825),
        ("bco_pair", {}, SHARED, 1.312856),
        ("sppo_hard", {"beta": 0.1}, SHARED, 36.25),
        ("dpo_norm", {}, SHARED, 0.217142),
        ("rpo", {}, SHARED, 2.620957),
        ("orpo", {}, MEANS | {"mean_chosen_length": 1.0}, 0.532030),
        ("simpo", {}, MEANS, 0.693147),
        ("simpo", {"beta": 2.5, "gamma": 0.75}, MEANS, 0.474077),
    ],
)
def test_worked_numbers(name, options, numbers, expected):
    given = pairs(0, count=1)
    given |= {k: torch.tensor([v], dtype=torch.float64) for k, v in numbers.items() if k != "mean_chosen_length"}
    given |= {"mean_chosen_length": numbers.get("mean_chosen_length", 5.0)}
    assert float(value_and_slopes(built(name, **options), given)[0]) == pytest.approx(expected, abs=1e-6)


def test_desensitised_on_answers_of_one_length_is_dpo_and_the_shared_part_has_its_own_gradient():
    given = pairs(4)
    for side in ("chosen", "rejected"):
        given[f"{side}_shared_logps"] = given[f"{side}_logps"]
        given[f"reference_{side}_shared_logps"] = given[f"reference_{side}_logps"]
    ours, plain = (value_and_slopes(built(name), given) for name in ("ld_dpo", "dpo"))
    torch.testing.assert_close(ours[0], plain[0])
    shared = value_and_slopes(built("ld_dpo"), given, ("chosen_shared_logps", "rejected_shared_logps"))
    for part, total, whole in zip(shared[1:], ours[1:], plain[1:], strict=True):
        torch.testing.assert_close(part + total, whole)


def test_extreme_pairs_keep_finite_numbers():
    given = pairs(5, count=4)
    far = torch.tensor([500.0, -500.0, 1e-9, 0.0], dtype=torch.float64)
    given["chosen_logps"] = given["reference_chosen_logps"] + far
    for name in ("dpo", "rdpo", "exo_pair", "nca_pair", "bco_pair", "apo_zero", "apo_down", "f_dpo", "wpo", "rpo"):
        assert all(x.isfinite().all() for x in value_and_slopes(built(name), given)), name
    sure = pairs(6, count=2)
    sure["chosen_logps"] = torch.tensor([0.0, -1e-12], dtype=torch.float64)
    assert all(x.isfinite().all() for x in value_and_slopes(built("orpo"), sure))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("dpo", {"beta": 0.0}, "dpo: beta is 0.0"),
        ("cdpo", {"label_smoothing": 0.5}, "label_smoothing is 0.5"),
        ("rdpo", {"label_smoothing": -0.1}, "label_smoothing is -0.1"),
        ("exo_pair", {"label_smoothing": 0.0}, "label_smoothing is 0.0"),
        ("f_dpo", {"divergence": "alpha", "alpha": 1.0}, "use algo=dpo"),
        ("ld_dpo", {"alpha": 1.5}, "alpha is 1.5"),
        ("rpo", {"alpha": -1.0}, "alpha is -1.0"),
        ("cpo", {"alpha": -1.0}, "alpha is -1.0"),
    ],
)
def test_options_out_of_range_are_refused(name, options, message):
    with pytest.raises(UserError, match=message):
        value_and_slopes(built(name, **options), pairs(0), LOGPS)
