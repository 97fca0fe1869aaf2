"""Each loss of single answers against closed forms for value and derivative; BCO's running shift."""

from __future__ import annotations

import math

import pytest
import torch

from crucible.algorithms.preference.apo_zero_unpaired import apo_zero_unpaired
from crucible.algorithms.preference.bco import BCO
from crucible.algorithms.preference.kto import kto
from crucible.errors import UserError
from preference.preference_cases import answers, built, items_of, value_and_slopes


def s(x):
    return 1.0 / (1.0 + math.exp(-x))


def oracle_prospect(x, *, beta=0.1, desirable_weight=1.0, undesirable_weight=1.0):
    u, z = x["logps"] - x["reference_logps"], max(0.0, x["mismatched_log_ratio"])
    inside = beta * (u - z) if x["desirable"] else beta * (z - u)
    weight, sign = (desirable_weight, 1.0) if x["desirable"] else (undesirable_weight, -1.0)
    return weight * (1 - s(inside)), -weight * sign * beta * s(inside) * (1 - s(inside))


def oracle_anchored(x, *, beta=0.1, desirable_weight=1.0, undesirable_weight=1.0):
    r = beta * (x["logps"] - x["reference_logps"])
    slope = beta * s(r) * (1 - s(r))
    if x["desirable"]:
        return desirable_weight * (1 - s(r)), -desirable_weight * slope
    return undesirable_weight * s(r), undesirable_weight * slope


def oracle_classifier(x, *, beta=0.1, shift=0.0):
    r = beta * (x["logps"] - x["reference_logps"]) - shift
    r = r if x["desirable"] else -r
    slope = beta * (s(r) - 1)
    return -math.log(s(r)), slope if x["desirable"] else -slope


def close(loss, oracle, given, **options):
    value, slope = value_and_slopes(loss, given, ("logps",))
    expected = torch.tensor([oracle(x, **options) for x in items_of(given)], dtype=torch.float64)
    torch.testing.assert_close(value, expected[:, 0], rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(slope, expected[:, 1], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("options", [{}, {"beta": 0.6, "desirable_weight": 1.3, "undesirable_weight": 0.4}])
@pytest.mark.parametrize(("loss", "oracle"), [(kto, oracle_prospect), (apo_zero_unpaired, oracle_anchored)])
def test_value_and_derivative_answer_by_answer(loss, oracle, options, seed):
    close(built(loss.__name__, **options), oracle, answers(seed), **options)


@pytest.mark.parametrize("kind", [True, False])
@pytest.mark.parametrize("name", ["kto", "apo_zero_unpaired", "bco"])
def test_a_step_may_hold_one_kind_alone(name, kind):
    given = answers(1)
    given["desirable"] = torch.full_like(given["desirable"], kind)
    value, slope = value_and_slopes(built(name), given, ("logps",))
    assert value.isfinite().all()
    assert ((slope < 0) if kind else (slope > 0)).all()


def test_the_shift_is_the_mean_reward_so_far_and_survives_a_checkpoint():
    loss, seen = BCO(beta=0.5), []
    for seed in range(3):
        given = answers(seed, count=5 + seed)
        seen += (0.5 * (given["logps"] - given["reference_logps"])).tolist()
        loss.observe(given["logps"], given["reference_logps"])
        assert loss.shift == pytest.approx(math.fsum(seen) / len(seen), rel=1e-12)
        close(loss, oracle_classifier, given, beta=0.5, shift=math.fsum(seen) / len(seen))
    other = BCO(beta=0.5)
    other.load_state_dict(loss.state_dict())
    assert other.shift == loss.shift
    assert BCO().shift == 0.0


def test_worked_numbers():
    """w = 1, l = -.5, beta .1: KTO with z0 = .2, BCO with shift .025."""
    given = answers(0, count=2)
    given |= {"logps": torch.tensor([-10.0, -12.0], dtype=torch.float64)}
    given |= {"reference_logps": torch.tensor([-11.0, -11.5], dtype=torch.float64)}
    given |= {"desirable": torch.tensor([True, False]), "mismatched_log_ratio": 0.2}
    assert value_and_slopes(built("kto"), given, ("logps",))[0].tolist() == pytest.approx(
        [0.480011, 0.482507], abs=1e-6
    )
    loss = built("bco")
    loss.observe(given["logps"], given["reference_logps"])
    assert loss.shift == pytest.approx(0.025)
    assert value_and_slopes(loss, given, ("logps",))[0].tolist() == pytest.approx([0.656350, 0.656350], abs=1e-6)


@pytest.mark.parametrize("name", ["kto", "apo_zero_unpaired", "bco"])
def test_a_beta_of_nothing_is_refused(name):
    with pytest.raises(UserError, match="beta is 0"):
        value_and_slopes(built(name, beta=0.0), answers(0), ("logps",))
