"""Each supervised loss against closed forms for value and derivative, token by token, and the catalogue's numbers."""

from __future__ import annotations

import math

import pytest
import torch
from loss_cases import assert_rows, value_and_slope

from crucible.algorithms.supervised.asft import asft
from crucible.algorithms.supervised.dft import dft
from crucible.algorithms.supervised.eaft import eaft
from crucible.algorithms.supervised.iq_learn import iq_learn
from crucible.algorithms.supervised.nll import nll
from crucible.algorithms.supervised.p_power import p_power
from crucible.algorithms.supervised.psft import psft
from crucible.errors import UserError
from supervised.supervised_cases import built, demonstrations

CASES = [demonstrations(seed, empty=[1] if seed % 2 else [], spread=0.8) for seed in range(4)]


def each(rows, token):
    """`token(row, t) -> (value, slope)` for every token of every row."""
    found = []
    for row in rows:
        pairs = [token(row, t) for t in range(len(row["logps"]))]
        found.append(([value for value, _ in pairs], [slope for _, slope in pairs]))
    return found


def oracle_nll(rows):
    return each(rows, lambda row, t: (-row["logps"][t], -1.0))


def oracle_dft(rows):
    def token(row, t):
        p = math.exp(row["logps"][t])
        return -p * row["logps"][t], -p

    return each(rows, token)


def oracle_asft(rows, *, kl=0.05, rectified=True):
    def token(row, t):
        weight = math.exp(row["logps"][t]) if rectified else 1.0
        return -weight * row["logps"][t] + kl * row["reference_divergence"][t], -weight

    return each(rows, token)


def oracle_psft(rows, *, eps_high=0.28):
    def token(row, t):
        ratio = math.exp(row["logps"][t] - row["reference_logps"][t])
        return (-ratio, -ratio) if ratio <= 1 + eps_high else (-(1 + eps_high), 0.0)

    return each(rows, token)


def oracle_eaft(rows, *, scale=3.0, alpha=1.0):
    def token(row, t):
        weight = (row["entropy"][t] / scale) ** alpha
        return -weight * row["logps"][t], -weight

    return each(rows, token)


def oracle_p_power(rows, *, alpha=1.0, above=0.0, below=1.0):
    def token(row, t):
        p = math.exp(row["logps"][t])
        if not above <= p <= below:
            return 0.0, 0.0
        return (-math.log(p), -1.0) if alpha == 0 else ((1 - p**alpha) / alpha, -(p**alpha))

    return each(rows, token)


def oracle_iq_learn(rows, *, weight=0.1, gamma=1.0):
    def token(row, t):
        v = row["normaliser"]
        reward = v[t] + row["logps"][t] - gamma * (v[t + 1] if t + 1 < len(v) else 0.0)
        return weight * reward**2 - row["logps"][t], 2 * weight * reward - 1.0

    return each(rows, token)


@pytest.mark.parametrize("given", CASES)
@pytest.mark.parametrize(
    ("loss", "oracle", "options"),
    [
        (nll, oracle_nll, {}),
        (dft, oracle_dft, {}),
        (asft, oracle_asft, {}),
        (asft, oracle_asft, {"kl": 0.7, "rectified": False}),
        (psft, oracle_psft, {}),
        (psft, oracle_psft, {"eps_high": 0.0}),
        (eaft, oracle_eaft, {}),
        (eaft, oracle_eaft, {"scale": 1.5, "alpha": 2.0}),
        (p_power, oracle_p_power, {}),
        (p_power, oracle_p_power, {"alpha": 8.0}),
        (p_power, oracle_p_power, {"alpha": -0.5, "above": 0.1}),
        (p_power, oracle_p_power, {"alpha": 0.0, "below": 0.5}),
        (iq_learn, oracle_iq_learn, {}),
        (iq_learn, oracle_iq_learn, {"weight": 1.3, "gamma": 0.9}),
    ],
    ids=lambda x: getattr(x, "__name__", None) or (str(x) if isinstance(x, dict) and len(x) < 4 else ""),
)
def test_value_and_derivative_token_by_token(loss, oracle, options, given):
    assert_rows(loss, oracle, given, **options)


def row(**values):
    """One row of tokens, each value a list."""
    given = demonstrations(0, groups=[1], width=len(next(iter(values.values()))))
    tensors = {name: torch.tensor([value], dtype=torch.float64) for name, value in values.items()}
    return given | {"mask": torch.ones_like(next(iter(tensors.values())))} | tensors


def mean(name, given, **options):
    return float(value_and_slope(built(name, **options), given)[0].mean())


def test_worked_numbers():
    """p = (.5, .1): -log p 1.497866, DFT .288416; ASFT with reference (.8, .2) against (.5, .5): .356211."""
    two = row(logps=[math.log(0.5), math.log(0.1)])
    assert mean("nll", two) == pytest.approx(1.497866, abs=1e-6)
    assert mean("dft", two) == pytest.approx(0.288416, abs=1e-6)
    divergence = 0.8 * math.log(0.8 / 0.5) + 0.2 * math.log(0.2 / 0.5)
    assert divergence == pytest.approx(0.192745, abs=1e-6)
    one = row(logps=[math.log(0.5)], reference_divergence=[divergence])
    assert mean("asft", one) == pytest.approx(0.356211, abs=1e-6)
    # logits (2, 0), token 0, then logits (1, 1): the squared term .094159, with weight .1 .136344
    logits = row(logps=[-0.126928, 0.0], normaliser=[math.log(math.exp(2) + 1), math.log(2 * math.e)])
    assert float(value_and_slope(built("iq_learn"), logits)[0][0, 0]) == pytest.approx(0.136344, abs=1e-6)


def test_the_divergence_and_the_normaliser_carry_their_own_gradient():
    given = row(logps=[-0.5, -1.0])
    leaf = given["reference_divergence"].clone().requires_grad_()
    asft(given["logps"], leaf, kl=0.3).per_token.sum().backward()
    assert leaf.grad.tolist() == [[0.3, 0.3]]
    leaf = torch.tensor([[1.0, 2.0]], dtype=torch.float64, requires_grad=True)
    iq_learn(given["logps"], leaf, given["mask"], weight=0.5, gamma=0.8).per_token.sum().backward()
    first, second = 1.0 - 0.5 - 0.8 * 2.0, 2.0 - 1.0
    assert leaf.grad[0].tolist() == pytest.approx([first, second - 0.8 * first])


def test_one_of_the_family_has_the_gradient_of_another_and_its_own_value():
    """alpha = 1 is -p up to a constant, whose gradient is DFT's; alpha -> 0 is -log p."""
    given = demonstrations(5)
    value, slope = value_and_slope(built("p_power", alpha=1.0), given)
    other_value, other_slope = value_and_slope(built("dft"), given)
    torch.testing.assert_close(slope, other_slope, rtol=1e-12, atol=0)
    assert not torch.allclose(value, other_value, atol=1e-2)
    near, plain = (value_and_slope(built("p_power", alpha=a), given) for a in (1e-9, 0.0))
    for a, b in zip(near, plain, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-6)


def test_a_step_with_its_own_policy_as_the_old_one_is_plain_supervised_learning():
    given = demonstrations(6)
    given["reference_logps"] = given["logps"]
    _, slope = value_and_slope(built("psft"), given)
    torch.testing.assert_close(slope, -given["mask"], rtol=1e-12, atol=0)


def test_an_impossible_token_does_no_harm():
    given = row(logps=[-200.0, -0.1], reference_logps=[-0.1, -200.0])
    for name in ("nll", "dft", "asft", "psft", "eaft", "p_power", "iq_learn"):
        value, slope = value_and_slope(built(name), given)
        assert value.isfinite().all(), name
        assert slope.isfinite().all(), name


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("asft", {"kl": -1.0}, "kl is -1.0"),
        ("psft", {"eps_high": -0.1}, "eps_high"),
        ("eaft", {"scale": 0.0}, "scale"),
        ("p_power", {"above": 0.8, "below": 0.2}, "above is 0.8"),
        ("iq_learn", {"gamma": 1.5}, "gamma 1.5"),
    ],
)
def test_options_out_of_range_are_refused(name, options, message):
    with pytest.raises(UserError, match=message):
        value_and_slope(built(name, **options), demonstrations(0))
