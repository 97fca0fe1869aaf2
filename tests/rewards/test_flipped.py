"""A noisy verifier: rates as asked, never in evaluations, the same tosses for the same batch, whole groups."""

from __future__ import annotations

import math

import pytest
import torch

from crucible.errors import UserError
from crucible.rewards.flipped import Flipped
from tests.rewards.parts import NONE, Fixed, of, values

N = 4000
TRUE = [float(i % 4 == 0) for i in range(N)]  # of groups of eight, two are right


def flips(**options) -> torch.Tensor:
    """(N,) bool: which rewards were turned around."""
    reward = Flipped(raw=Fixed(*TRUE), **({"seed": 1} | options))
    return of(reward, N, group=8).total != torch.tensor(TRUE)


@pytest.mark.parametrize("per", ["sample", "group"])
def test_each_kind_of_error_has_its_rate(per):
    flipped, right = flips(false_positive=0.1, false_negative=0.3, per=per), torch.tensor(TRUE) == 1
    independent = {"sample": 1, "group": 8}[per]
    for rows, rate in ((~right, 0.1), (right, 0.3)):
        error = math.sqrt(rate * (1 - rate) * independent / int(rows.sum()))
        assert abs(flipped[rows].float().mean().item() - rate) < 4 * error


def test_per_group_equal_rates_turn_whole_groups_around():
    by_group = flips(false_positive=0.4, false_negative=0.4, per="group").view(-1, 8)
    assert set(by_group.sum(1).tolist()) == {0, 8}
    by_sample = flips(false_positive=0.4, false_negative=0.4).view(-1, 8)
    assert len(set(by_sample.sum(1).tolist())) > 4


@pytest.mark.parametrize("per", ["sample", "group"])
def test_rates_of_0_change_nothing_and_rates_of_1_everything(per):
    assert not flips(false_positive=0.0, false_negative=0.0, per=per).any()
    assert flips(false_positive=1.0, false_negative=1.0, per=per).all()


def test_evaluations_are_never_flipped_and_the_truth_is_logged_beside():
    reward = Flipped(raw=Fixed(0.0, 1.0, NONE), seed=1, false_positive=1.0, false_negative=1.0)
    assert values(of(reward, 3, training=False)) == [0.0, 1.0, None]
    noisy = of(reward, 3)
    assert values(noisy) == [1.0, 0.0, None]
    assert noisy.components["raw"][:2].tolist() == [0.0, 1.0]


def test_the_tosses_depend_on_seed_and_batch_and_on_nothing_else():
    assert torch.equal(flips(), flips())
    assert not torch.equal(flips(), flips(seed=2))
    reward = Flipped(raw=Fixed(*TRUE), seed=1)
    assert not torch.equal(flips()[: N // 2], of(reward, N // 2, group=8).total != torch.tensor(TRUE)[: N // 2])


def test_its_noise_is_what_the_backward_correction_undoes():
    from crucible.algorithms.advantages.noisy_backward import noisy_backward

    scores = of(Flipped(raw=Fixed(*TRUE), seed=3, false_positive=0.1, false_negative=0.2), N, group=8)
    clean = noisy_backward(scores, torch.arange(N) // 8, torch.ones(N, 1), false_positive=0.1, false_negative=0.2)
    right = torch.tensor(TRUE) == 1
    assert clean.values[right].mean().item() == pytest.approx(1.0, abs=4 * 0.4 / 0.7 / math.sqrt(N / 4))
    assert clean.values[~right].mean().item() == pytest.approx(0.0, abs=4 * 0.3 / 0.7 / math.sqrt(3 * N / 4))


@pytest.mark.parametrize("options", [{"false_positive": 1.5}, {"false_negative": -0.1}, {"per": "batch"}])
def test_bad_options_are_refused(options):
    with pytest.raises(UserError, match="reward"):
        Flipped(raw=Fixed(), seed=1, **options)


def test_only_0_and_1_can_be_flipped():
    with pytest.raises(UserError, match=r"a reward is 0\.5; only 0 and 1"):
        of(Flipped(raw=Fixed(1.0, 0.5), seed=1), 2)
