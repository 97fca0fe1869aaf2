"""The fields of `Policy.token_stats` that learning from given answers asks for, against all logits in one piece."""

from __future__ import annotations

import pytest
import torch

from tests.policy.models import gpt2, qwen3
from tests.policy.test_token_stats import batch, gradients


def whole_logits(policy, prompt_ids, prompt_mask, completion, mask):
    ids = torch.cat([prompt_ids, completion], 1)
    visible = torch.cat([prompt_mask, torch.ones_like(completion)], 1)
    positions = (visible.cumsum(1) - 1).clamp(min=0)
    logits = policy.model(input_ids=ids, attention_mask=visible, position_ids=positions).logits
    return logits[:, prompt_ids.shape[1] - 1 : -1].float()


@pytest.mark.parametrize("make", [qwen3, gpt2])
@pytest.mark.parametrize("logits_at_once", [2**24, 3 * 102], ids=["whole", "in slices"])
def test_values_and_gradients(make, logits_at_once):
    policy, other = make(), make(seed=7)
    policy.logits_at_once = logits_at_once
    data = batch(policy)
    mask = data[-1]
    stats = policy.token_stats(*data, greedy=True, normaliser=True, against=other)
    ours, theirs = whole_logits(policy, *data), whole_logits(other, *data)
    log_ours, log_theirs = ours.log_softmax(-1), theirs.log_softmax(-1)
    divergence = (log_theirs.exp() * (log_theirs - log_ours)).sum(-1) * mask
    torch.testing.assert_close(stats.divergence, divergence, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(stats.normaliser, ours.logsumexp(-1) * mask, atol=1e-4, rtol=1e-5)
    assert torch.equal(stats.greedy, (ours.argmax(-1) == data[2]).float() * mask)
    assert not stats.greedy.requires_grad
    weights = torch.randn(mask.shape, generator=torch.Generator().manual_seed(5))
    for name, expected in (("divergence", divergence), ("normaliser", ours.logsumexp(-1) * mask)):
        wanted = torch.autograd.grad((expected * weights).sum(), list(policy.model.parameters()), retain_graph=True)
        wanted = torch.cat([g.flatten() for g in wanted])
        again = policy.token_stats(*data, normaliser=True, against=other)
        got = gradients(policy, (getattr(again, name) * weights).sum())
        assert wanted.norm() > 1
        torch.testing.assert_close(got, wanted, atol=1e-4 * float(wanted.abs().max()), rtol=1e-3)


def test_a_policy_diverges_not_from_itself_and_is_greedy_where_it_says_so():
    policy = qwen3()
    prompt_ids, prompt_mask, completion, mask = batch(policy)
    likeliest = whole_logits(policy, prompt_ids, prompt_mask, completion, mask).argmax(-1)
    first = torch.cat([likeliest[:, :1], completion[:, 1:]], 1)
    stats = policy.token_stats(prompt_ids, prompt_mask, first, mask, greedy=True, against=policy)
    assert stats.greedy[:, 0].tolist() == [1.0, 1.0, 1.0]
    assert stats.divergence.abs().max() < 1e-6
    empty = policy.token_stats(prompt_ids, prompt_mask, first, mask * 0, greedy=True, normaliser=True, against=policy)
    assert empty.greedy.sum() == empty.normaliser.sum() == empty.divergence.sum() == 0
    plain = policy.token_stats(prompt_ids, prompt_mask, first, mask)
    assert plain.greedy is plain.normaliser is plain.divergence is None
