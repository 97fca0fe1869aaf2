"""KL estimators against scalars, the worked example, and against what they estimate."""

from __future__ import annotations

import math

import pytest
import torch

from crucible.algorithms.kl.estimators import ESTIMATORS, estimate, kl_per_token
from crucible.errors import UserError

LOGPS = torch.tensor([[-0.1, -2.0, -0.7], [-1.3, -0.4, 9.0]], dtype=torch.float64)
REFERENCE = torch.tensor([[-0.5, -1.1, -0.7], [-0.2, -3.0, 4.0]], dtype=torch.float64)
OLD = torch.tensor([[-0.3, -1.7, -0.9], [-1.0, -0.6, 5.0]], dtype=torch.float64)
MASK = torch.tensor([[1.0, 1.0, 1.0], [1.0, 1.0, 0.0]], dtype=torch.float64)


def oracle(estimator, logp, reference):
    """(value, derivative in logp) of one token, from the probabilities."""
    r = math.exp(reference) / math.exp(logp)  # ref / pi
    return {
        "k1": (-math.log(r), 1.0),
        "abs": (abs(math.log(r)), math.copysign(1.0, -math.log(r)) if r != 1 else 0.0),
        "k2": (0.5 * math.log(r) ** 2, -math.log(r)),
        "k3": (r - 1.0 - math.log(r), 1.0 - r),
    }[estimator]


def of_cells(function):
    """A function of (logp, reference, old) on every counted cell, 0 elsewhere."""
    rows = zip(LOGPS.tolist(), REFERENCE.tolist(), OLD.tolist(), MASK.tolist(), strict=True)
    return torch.tensor(
        [[function(*cell[:3]) if cell[3] else 0.0 for cell in zip(*row, strict=True)] for row in rows],
        dtype=torch.float64,
    )


def value_and_gradient(**options):
    logps = LOGPS.clone().requires_grad_()
    value = kl_per_token(logps, REFERENCE, MASK, **options)
    value.sum().backward()
    return value.detach(), logps.grad


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_value_and_gradient(estimator):
    value, gradient = value_and_gradient(estimator=estimator)
    torch.testing.assert_close(value, of_cells(lambda p, r, _: oracle(estimator, p, r)[0]))
    torch.testing.assert_close(gradient, of_cells(lambda p, r, _: oracle(estimator, p, r)[1]))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_straight_through_has_the_gradient_of_k2(estimator):
    value, gradient = value_and_gradient(estimator=estimator, gradient="k2")
    torch.testing.assert_close(value, of_cells(lambda p, r, _: oracle(estimator, p, r)[0]))
    torch.testing.assert_close(gradient, of_cells(lambda p, r, _: oracle("k2", p, r)[1]))


def test_ratio_weighted_by_the_product_rule():
    value, gradient = value_and_gradient(estimator="k3", old_logps=OLD)

    def expected(p, r, o):
        ratio, (k3, slope) = math.exp(p) / math.exp(o), oracle("k3", p, r)
        return ratio * k3, ratio * (k3 + slope)

    torch.testing.assert_close(value, of_cells(lambda p, r, o: expected(p, r, o)[0]))
    torch.testing.assert_close(gradient, of_cells(lambda p, r, o: expected(p, r, o)[1]))


def test_the_worked_example():
    halved, doubled = (torch.tensor(math.log(x), dtype=torch.float64) for x in (0.5, 2.0))
    for estimator, value in {"k1": -0.693147, "abs": 0.693147, "k2": 0.240227, "k3": 0.306853}.items():
        assert estimate(halved, estimator).item() == pytest.approx(value, abs=1e-6)
    for estimator, value in {"k1": 0.693147, "k2": 0.240227, "k3": 0.193147}.items():
        assert estimate(doubled, estimator).item() == pytest.approx(value, abs=1e-6)


def test_in_the_mean_over_the_policy_k1_and_k3_are_the_kl_and_k2_has_its_gradient():
    logits = torch.tensor([0.3, -1.0, 0.9, 0.1], dtype=torch.float64, requires_grad=True)
    other = torch.tensor([0.0, 0.5, -0.2, 0.4], dtype=torch.float64).log_softmax(0)
    logps = logits.log_softmax(0)
    kl = (logps.exp() * (logps - other)).sum()
    (gradient,) = torch.autograd.grad(kl, logits, retain_graph=True)
    weights = logps.exp().detach()
    for estimator in ("k1", "k3"):
        assert (weights * estimate(logps - other, estimator)).sum().item() == pytest.approx(kl.item())
    (of_k2,) = torch.autograd.grad((weights * estimate(logps - other, "k2")).sum(), logits)
    torch.testing.assert_close(of_k2, gradient)


def test_equal_policies_masked_rows_and_extremes():
    same = torch.zeros(2, 2)
    for estimator in ESTIMATORS:
        assert kl_per_token(same, same, torch.ones(2, 2), estimator=estimator).abs().sum() == 0
        assert kl_per_token(same - 9, same, torch.zeros(2, 2), estimator=estimator).abs().sum() == 0
        far = kl_per_token(same - 1000.0, same, torch.ones(2, 2), estimator=estimator)
        assert far.isfinite().all()


def test_unknown_names_are_refused():
    with pytest.raises(UserError, match=r'estimator is "k4"; give k1, abs, k2, k3'):
        estimate(torch.zeros(1), "k4")
    with pytest.raises(UserError, match='gradient is "k3"; give own or k2'):
        kl_per_token(torch.zeros(1, 1), torch.zeros(1, 1), torch.ones(1, 1), estimator="k1", gradient="k3")
