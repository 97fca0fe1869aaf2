"""Loss and gradient equal TRL's, for every TRL loss type and experimental loss that Crucible has a name for."""

from __future__ import annotations

import math

import pytest
import torch
from loss_cases import batch, built, call, totals
from trl_losses import KNOWN, a2po_loss, gmpo_loss, grpo_loss, known, loss_types

from crucible.algorithms.aggregation.seq_mean_token_mean import seq_mean_token_mean
from crucible.algorithms.aggregation.seq_mean_token_sum import seq_mean_token_sum
from crucible.algorithms.aggregation.seq_mean_token_sum_norm import seq_mean_token_sum_norm
from crucible.algorithms.aggregation.token_mean import token_mean

pytestmark = pytest.mark.skipif(not known(), reason=f"needs TRL {KNOWN}")

CLIP = built("clip_higher")
BAND = {"epsilon_low": 0.2, "epsilon_high": 0.28}
NARROW = {"epsilon_low": 0.03, "epsilon_high": 0.04}
# ours, our aggregation, TRL's function and its settings
SAME = {
    "grpo": (CLIP, seq_mean_token_mean, grpo_loss, {"loss_type": "grpo", **BAND}),
    "dr_grpo": (CLIP, seq_mean_token_sum_norm, grpo_loss, {"loss_type": "dr_grpo", **BAND}),
    "dapo": (CLIP, token_mean, grpo_loss, {"loss_type": "dapo", **BAND}),
    "bnpo": (CLIP, token_mean, grpo_loss, {"loss_type": "bnpo", **BAND}),
    "two_sided": (
        built("two_sided_clip", dual_clip=1.5),
        token_mean,
        grpo_loss,
        {"loss_type": "dapo", "delta": 1.5},
    ),
    "cispo": (  # TRL's epsilon_high is the cap itself
        built("cispo_scalerl", eps_high=0.3),
        token_mean,
        grpo_loss,
        {"loss_type": "cispo", "epsilon_high": 1.3},
    ),
    "sapo": (built("sapo_soft_gate"), seq_mean_token_mean, grpo_loss, {"loss_type": "sapo"}),
    "vespo": (built("vespo"), token_mean, grpo_loss, {"loss_type": "vespo"}),
    "gspo": (
        built("gspo", eps_low=0.03, eps_high=0.04),
        seq_mean_token_mean,
        grpo_loss,
        {"loss_type": "grpo", "importance_sampling_level": "sequence", **NARROW},
    ),
    "luspo": (
        built("luspo", eps_low=0.03, eps_high=0.04),
        seq_mean_token_sum,
        grpo_loss,
        {"loss_type": "luspo", "importance_sampling_level": "sequence", **NARROW},
    ),
    "gmpo": (built("gmpo"), seq_mean_token_mean, gmpo_loss, {"epsilon_low": 0.4, "epsilon_high": 0.4}),
}


@pytest.mark.parametrize("name", SAME)
@pytest.mark.parametrize("empty", [(), (3,)])
def test_same_loss_and_gradient_as_trl(name, empty):
    loss, aggregate, theirs, settings = SAME[name]
    for seed in range(3):
        given = batch(seed, width=7, empty=empty)
        mask, leaf = given["mask"], given["logps"].clone().requires_grad_()
        expected = theirs(
            leaf, given["old_logps"], given["advantages"][:, 0], mask, max_completion_length=9, **settings
        )
        expected.backward()
        ours = given["logps"].clone().requires_grad_()
        found = aggregate(call(loss, given, logps=ours).per_token, mask, totals(mask, 9))
        found.backward()
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
        torch.testing.assert_close(ours.grad, leaf.grad, rtol=0, atol=1e-6)
        assert float(ours.grad.abs().max()) > 1e-3


def test_a_star_po_is_trls_regression_on_the_groups_own_optimal_value():
    loss = built("a_star_po", beta1=0.5, beta2=0.2)
    given = batch(1, width=7)
    rewards, group = given["rewards"], given["group"]
    values = torch.stack(
        [0.5 * (torch.logsumexp(rewards[group == g] / 0.5, 0) - math.log(int((group == g).sum()))) for g in group]
    )
    leaf = given["logps"].clone().requires_grad_()
    expected = a2po_loss(leaf, given["reference_logps"], rewards, values, given["mask"], beta2=0.2)
    expected.backward()
    ours = given["logps"].clone().requires_grad_()
    per_token = call(loss, given, logps=ours).per_token
    found = seq_mean_token_mean(per_token, given["mask"], totals(given["mask"], 9))
    found.backward()
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(ours.grad, leaf.grad, rtol=0, atol=1e-6)
    assert float(ours.grad.abs().max()) > 1e-3


def test_no_loss_type_of_trl_is_left_out():
    compared = {settings["loss_type"] for *_, settings in SAME.values() if "loss_type" in settings}
    assert loss_types() == compared
