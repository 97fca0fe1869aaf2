"""CE-GPPO's entropy theory (2509.20712, section 3.2) on a tabular softmax with four actions."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch

from crucible.algorithms.diagnostics import quadrants
from crucible.algorithms.losses.ce_gppo import ce_gppo
from crucible.algorithms.losses.cispo import cispo
from crucible.algorithms.losses.ppo_clip import ppo_clip
from crucible.algorithms.losses.reinforce import reinforce

LOGITS = torch.tensor([0.70, 0.15, 0.10, 0.05], dtype=torch.float64).log()
LIKELY, UNLIKELY = 0, 3


def entropy_change(loss, action, advantage, *, ratio=1.0, rate=1e-2):
    """Change of the exact entropy by one gradient step on one sampled token."""

    def entropy(logits):
        logps = logits.log_softmax(-1)
        return float(-(logps.exp() * logps).sum())

    logits = LOGITS.clone().requires_grad_()
    logp = logits.log_softmax(-1)[action].reshape(1, 1)
    one = torch.ones_like(logp.detach())
    loss(logp, logp.detach() - math.log(ratio), advantage * one, one).per_token.sum().backward()
    return entropy(LOGITS - rate * logits.grad) - entropy(LOGITS)


@pytest.mark.parametrize("loss", [ppo_clip, ce_gppo, cispo, reinforce])
@pytest.mark.parametrize(
    ("kind", "action", "advantage", "sign"),
    [
        ("pa_hp", LIKELY, 1.0, -1),
        ("na_lp", UNLIKELY, -1.0, -1),
        ("pa_lp", UNLIKELY, 1.0, 1),
        ("na_hp", LIKELY, -1.0, 1),
    ],
)
def test_sign_of_the_entropy_change_in_the_four_quadrants(loss, kind, action, advantage, sign):
    one = torch.ones(1, 1, dtype=torch.float64)
    found = quadrants(LOGITS[action].reshape(1, 1), advantage * one, one)
    assert [name for name, tensor in found.items() if float(tensor)] == [kind]
    assert sign * entropy_change(loss, action, advantage) > 1e-6


def test_beta1_gives_back_what_lowers_the_entropy():
    """NA&LP below the band: PPO drops it; the larger beta1, the faster the entropy falls."""
    at = partial(entropy_change, action=UNLIKELY, advantage=-1.0, ratio=0.5)
    assert at(ppo_clip) == 0.0
    changes = [at(partial(ce_gppo, beta1=beta1)) for beta1 in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert changes[0] == 0.0
    assert changes == sorted(changes, reverse=True)
    assert len(set(changes)) == 5


def test_beta2_gives_back_what_raises_the_entropy():
    """PA&LP above the band: PPO drops it; the larger beta2, the slower the entropy falls."""
    at = partial(entropy_change, action=UNLIKELY, advantage=1.0, ratio=2.0)
    assert at(ppo_clip) == 0.0
    changes = [at(partial(ce_gppo, beta2=beta2)) for beta2 in (0.0, 0.5, 0.75, 1.0)]
    assert changes[0] == 0.0
    assert changes == sorted(changes)
    assert len(set(changes)) == 4


@pytest.mark.parametrize(("action", "advantage", "ratio"), [(UNLIKELY, -1.0, 0.5), (UNLIKELY, 1.0, 2.0)])
def test_each_beta_acts_on_its_own_region_only(action, advantage, ratio):
    left = entropy_change(partial(ce_gppo, beta1=0.3), action, advantage, ratio=ratio)
    right = entropy_change(partial(ce_gppo, beta2=0.3), action, advantage, ratio=ratio)
    usual = entropy_change(ce_gppo, action, advantage, ratio=ratio)
    assert (left == usual) == (advantage > 0)
    assert (right == usual) == (advantage < 0)
