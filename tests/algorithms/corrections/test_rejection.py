"""Rejection by divergence against probabilities, one token at a time."""

from __future__ import annotations

import math

import pytest
import torch

from crucible.algorithms.corrections.rejection import rejection
from crucible.errors import UserError

OLD = torch.tensor([[0.75, 0.5, 0.25], [0.21, 0.9, 0.6], [0.5, 0.55, 0.5]], dtype=torch.float64)
SAMPLE = torch.tensor([[0.25, 0.5, 0.5], [0.2, 0.8, 0.1], [0.5, 0.5, 0.5]], dtype=torch.float64)
MASK = torch.tensor([[1.0, 1.0, 1.0], [1.0, 1.0, 0.0], [1.0, 1.0, 1.0]], dtype=torch.float64)


def oracle(old, sample, mask, by, estimator, low, high):
    """One row of probabilities: 1.0 where kept."""

    def divergence(o, s):
        r = o / s
        return {"k1": math.log(r), "k2": 0.5 * math.log(r) ** 2, "k3": r - 1 - math.log(r)}[estimator]

    values = [divergence(o, s) for o, s, m in zip(old, sample, mask, strict=True) if m]
    of_row = {"seq_sum": sum(values), "seq_mean": sum(values) / len(values), "seq_max": max(values)}
    found = []
    for o, s, m in zip(old, sample, mask, strict=True):
        value = of_row.get(by, divergence(o, s))
        inside = low <= math.exp(value) <= high if estimator == "k1" else value <= high
        found.append(1.0 if m and inside else 0.0)
    return found


CASES = [(by, k, None, high) for by in ("token", "seq_sum", "seq_mean", "seq_max") for k in ("k2", "k3")
         for high in (0.001, 0.01, 0.3)]  # fmt: skip
CASES += [(by, "k1", low, high) for by in ("token", "seq_sum", "seq_mean") for low, high in ((0.9, 1.3), (0.4, 1.11))]


@pytest.mark.parametrize(("by", "estimator", "low", "high"), CASES)
def test_what_is_kept(by, estimator, low, high):
    found = rejection(OLD.log(), SAMPLE.log(), MASK, by=by, estimator=estimator, low=low, high=high).weights
    rows = zip(OLD.tolist(), SAMPLE.tolist(), MASK.tolist(), strict=True)
    expected = [oracle(*row, by, estimator, low, high) for row in rows]
    assert found.tolist() == expected


def test_the_cases_keep_some_and_drop_some():
    rows = list(zip(OLD.tolist(), SAMPLE.tolist(), MASK.tolist(), strict=True))
    kept = {sum(oracle(*row, *case)) > 0 for case in CASES for row in rows}
    assert kept == {True, False}


def test_the_band_is_on_old_over_sample():
    """An asymmetric band tells the direction: the ratio is 1.5 here."""
    old, sample, mask = torch.tensor([[0.6]]).log(), torch.tensor([[0.4]]).log(), torch.ones(1, 1)
    assert rejection(old, sample, mask, by="token", estimator="k1", low=0.9, high=1.6).weights.item() == 1.0
    assert rejection(old, sample, mask, by="token", estimator="k1", low=0.6, high=1.4).weights.item() == 0.0


def test_one_number_is_a_band_around_one():
    one_sided = rejection(OLD.log(), SAMPLE.log(), MASK, by="token", estimator="k1", high=1.25).weights
    both = rejection(OLD.log(), SAMPLE.log(), MASK, by="token", estimator="k1", low=0.8, high=1.25).weights
    assert torch.equal(one_sided, both)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by": "row"}, 'by is "row"'),
        ({"estimator": "abs"}, 'estimator is "abs"'),
        ({"estimator": "k1", "high": 0.5}, "the ratio band is None .. 0.5"),
        ({"estimator": "k1", "by": "seq_max", "high": 2.0}, "one side only"),
        ({"low": 0.5}, "k3 has no lower bound"),
        ({"high": -0.1}, "high is -0.1"),
    ],
)
def test_what_means_nothing_is_refused(options, message):
    with pytest.raises(UserError, match=message):
        rejection(OLD.log(), SAMPLE.log(), MASK, **options)
