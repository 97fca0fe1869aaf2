"""Nash-MD: the preference over the group's other rows, weighted to the mixture, and the KL to the reference."""

from __future__ import annotations

import math

import pytest
import torch
from loss_cases import assert_rows, batch, built, call, plain_rows, ragged, value_and_slope

from crucible.algorithms.losses.nash_md import nash_md
from crucible.errors import UserError


def oracle(rows, *, beta=0.1, mixture=0.5, preference="bradley_terry"):
    def wins(i, j):
        gap = rows[i]["rewards"] - rows[j]["rewards"]
        if preference == "win":
            return 0.5 if gap == 0 else float(gap > 0)
        return 1 / (1 + math.exp(-gap))

    found = []
    for i, row in enumerate(rows):
        against = [
            j
            for j, other in enumerate(rows)
            if j != i and other["group"] == row["group"] and other["valid"] and other["logps"]
        ]
        weights = [
            math.exp(mixture * (math.fsum(rows[j]["reference_logps"]) - math.fsum(rows[j]["old_logps"])))
            for j in against
        ]
        p = 0.5
        if against and row["valid"]:
            p = math.fsum(w * wins(i, j) for w, j in zip(weights, against, strict=True)) / math.fsum(weights)
        slopes = [
            beta * (logp - ref) - (p - 0.5) for logp, ref in zip(row["logps"], row["reference_logps"], strict=True)
        ]
        found.append(([s * logp for s, logp in zip(slopes, row["logps"], strict=True)], slopes))
    return found


@pytest.mark.parametrize(
    "options", [{}, {"beta": 0.7, "mixture": 0.125}, {"mixture": 0.0}, {"mixture": 1.0, "preference": "win"}]
)
def test_value_and_derivative_row_by_row(options):
    for given in ragged():
        assert_rows(nash_md, oracle, given, **options)


def test_the_worked_example():
    """P = 0.7, log pi (-4, -6), reference (-5, -6), beta 0.1: loss 1.6."""
    given = batch(0, groups=(2,), width=2)
    given |= {
        "mask": torch.ones(2, 2, dtype=torch.float64),
        "logps": torch.tensor([[-4.0, -6.0], [-1.0, -1.0]], dtype=torch.float64),
        "reference_logps": torch.tensor([[-5.0, -6.0], [-1.0, -1.0]], dtype=torch.float64),
        "rewards": torch.tensor([math.log(0.7 / 0.3), 0.0], dtype=torch.float64),
    }
    value, slope = value_and_slope(built("nash_md"), given)
    assert value[0].sum().item() == pytest.approx(1.6)
    assert slope[0].tolist() == pytest.approx([0.1 - 0.2, -0.2])
    assert slope[1].tolist() == pytest.approx([0.2, 0.2])  # the other one is as much less preferred


def test_rows_without_a_reward_or_an_opponent_feel_the_kl_alone():
    given = batch(3, groups=(1, 3))
    given["valid"][2] = False
    _, slope = value_and_slope(built("nash_md"), given)
    alone = 0.1 * (given["logps"] - given["reference_logps"]) * given["mask"]
    torch.testing.assert_close(slope[[0, 2]], alone[[0, 2]])
    expected = oracle(plain_rows(given))
    for n in (1, 3):  # and they are nobody's opponent
        assert slope[n, : len(expected[n][1])].tolist() == pytest.approx(expected[n][1])


def test_equal_rewards_against_any_mixture_are_the_kl_alone():
    given = batch(4) | {"rewards": torch.ones(8, dtype=torch.float64)}
    _, slope = value_and_slope(built("nash_md", mixture=1.0), given)
    torch.testing.assert_close(slope, 0.1 * (given["logps"] - given["reference_logps"]) * given["mask"])
    assert call(built("nash_md"), given).diagnostics["preferred"][given["mask"] > 0].unique().tolist() == [0.5]


@pytest.mark.parametrize("options", [{"mixture": 1.5}, {"preference": "wins"}, {"beta": 0.0}])
def test_options_that_mean_nothing_are_refused(options):
    with pytest.raises(UserError, match=next(iter(options))):
        call(built("nash_md", **options), batch(0))
