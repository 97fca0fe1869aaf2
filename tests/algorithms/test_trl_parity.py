"""Loss and gradient equal TRL's, for every TRL loss type that Crucible has a name for."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from loss_cases import random_batch, totals
from trl_grpo_loss import trl_loss

from crucible.algorithms.aggregation.seq_mean_token_mean import seq_mean_token_mean
from crucible.algorithms.aggregation.seq_mean_token_sum_norm import seq_mean_token_sum_norm
from crucible.algorithms.aggregation.token_mean import token_mean
from crucible.algorithms.losses.cispo import cispo
from crucible.algorithms.losses.gspo import gspo
from crucible.algorithms.losses.ppo_clip import ppo_clip

PPO = {"epsilon_low": 0.2, "epsilon_high": 0.28}
CLIP = partial(ppo_clip, eps_low=0.2, eps_high=0.28)
SAME = {
    "grpo": (CLIP, seq_mean_token_mean, {"loss_type": "grpo", **PPO}),
    "dr_grpo": (CLIP, seq_mean_token_sum_norm, {"loss_type": "dr_grpo", **PPO}),
    "dapo": (CLIP, token_mean, {"loss_type": "dapo", **PPO}),
    "bnpo": (CLIP, token_mean, {"loss_type": "bnpo", **PPO}),
    "cispo": (  # TRL's epsilon_high is the cap itself
        partial(cispo, eps_low=None, eps_high=0.3),
        token_mean,
        {"loss_type": "cispo", "epsilon_high": 1.3},
    ),
    "gspo": (
        partial(gspo, eps_low=0.03, eps_high=0.04),
        seq_mean_token_mean,
        {
            "loss_type": "grpo",
            "importance_sampling_level": "sequence",
            "epsilon_low": 0.03,
            "epsilon_high": 0.04,
        },
    ),
}


@pytest.mark.parametrize("name", SAME)
@pytest.mark.parametrize("masked_row", [False, True])
def test_same_loss_and_gradient_as_trl(name, masked_row):
    loss, aggregate, settings = SAME[name]
    for seed in range(3):
        logps, old, advantages, mask = random_batch(seed, rows=8, width=7)
        advantages = advantages[:, :1].expand(-1, 7).clone()
        if masked_row:
            mask[3] = 0.0
        theirs = logps.clone().requires_grad_()
        expected = trl_loss(theirs, old, advantages[:, 0], mask, max_completion_length=9, **settings)
        expected.backward()
        ours = logps.clone().requires_grad_()
        found = aggregate(loss(ours, old, advantages, mask).per_token, mask, totals(mask, 9))
        found.backward()
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=0, atol=1e-6)
        assert float(ours.grad.abs().max()) > 1e-3
