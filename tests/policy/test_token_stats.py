"""`Policy.token_stats` against the plain computation: all logits of the whole model, in one piece."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import pad

from crucible.policy.policy import Policy
from crucible.types import Prompt
from tests.policy.models import gpt2, llama, qwen3

PROMPTS = [Prompt("a", "7+8="), Prompt("b", "1+2+3-4="), Prompt("c", "9=")]


def batch(policy: Policy, *, prompts=PROMPTS, tokens: int = 9):
    generator = torch.Generator().manual_seed(3)
    prompt_ids, prompt_mask = policy.encode(prompts)
    completion = torch.randint(0, 100, (len(prompts), tokens), generator=generator)
    lengths = torch.tensor([tokens, 4, 7])[: len(prompts)]
    mask = (torch.arange(tokens) < lengths[:, None]).float()
    return prompt_ids, prompt_mask, completion, mask


def naive(policy: Policy, prompt_ids, prompt_mask, completion, mask, *, temperature=1.0):
    ids = torch.cat([prompt_ids, completion], 1)
    visible = torch.cat([prompt_mask, torch.ones_like(completion)], 1)
    positions = (visible.cumsum(1) - 1).clamp(min=0)
    logits = policy.model(input_ids=ids, attention_mask=visible, position_ids=positions).logits
    log_probs = (logits[:, prompt_ids.shape[1] - 1 : -1].float() / temperature).log_softmax(-1)
    logps = log_probs.gather(-1, completion[..., None]).squeeze(-1) * mask
    return logps, -(log_probs.exp() * log_probs).sum(-1) * mask


def gradients(policy: Policy, value: torch.Tensor) -> torch.Tensor:
    return torch.cat([g.flatten() for g in torch.autograd.grad(value, list(policy.model.parameters()))])


@pytest.mark.parametrize("make", [qwen3, llama, gpt2])
@pytest.mark.parametrize("logits_at_once", [2**24, 3 * 102], ids=["whole", "in slices"])
@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_value_and_gradient_equal_the_plain_computation(make, logits_at_once, temperature):
    policy = make()
    policy.logits_at_once = logits_at_once
    data = batch(policy)
    weights = torch.randn(3, 9, generator=torch.Generator().manual_seed(5))
    stats = policy.token_stats(*data, temperature=temperature)
    logps, entropy = naive(policy, *data, temperature=temperature)
    torch.testing.assert_close(stats.logps, logps, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(stats.entropy, entropy, atol=1e-5, rtol=1e-5)
    assert not stats.entropy.requires_grad
    got, expected = gradients(policy, (stats.logps * weights).sum()), gradients(policy, (logps * weights).sum())
    assert expected.norm() > 1
    torch.testing.assert_close(got, expected, atol=1e-5 * float(expected.abs().max()), rtol=1e-4)


@pytest.mark.parametrize("logits_at_once", [2**24, 3 * 102], ids=["whole", "in slices"])
def test_gradient_of_the_entropy_only_when_asked_for(logits_at_once):
    policy = qwen3()
    policy.logits_at_once = logits_at_once
    data = batch(policy)
    weights = torch.randn(3, 9, generator=torch.Generator().manual_seed(6))
    stats = policy.token_stats(*data, temperature=0.8, entropy_gradient=True)
    _, entropy = naive(policy, *data, temperature=0.8)
    got, expected = gradients(policy, (stats.entropy * weights).sum()), gradients(policy, (entropy * weights).sum())
    assert expected.norm() > 1
    torch.testing.assert_close(got, expected, atol=1e-5 * float(expected.abs().max()), rtol=1e-4)


@pytest.mark.parametrize("make", [qwen3, llama, gpt2])
def test_padding_changes_nothing(make):
    policy = make()
    prompt_ids, prompt_mask, completion, mask = batch(policy)
    plain = policy.token_stats(prompt_ids, prompt_mask, completion, mask)
    wide = policy.token_stats(
        pad(prompt_ids, (5, 0), value=policy.pad_id),
        pad(prompt_mask, (5, 0)),
        pad(completion, (0, 6), value=policy.pad_id),
        pad(mask, (0, 6)),
    )
    torch.testing.assert_close(wide.logps[:, :9], plain.logps, atol=1e-5, rtol=0)
    torch.testing.assert_close(wide.entropy[:, :9], plain.entropy, atol=1e-5, rtol=0)
    assert wide.logps[:, 9:].abs().sum() == 0
    for row, prompt in enumerate(PROMPTS):  # and each row alone, with no padding at all
        length = int(mask[row].sum())
        alone = policy.token_stats(*policy.encode([prompt]), completion[row : row + 1, :length], torch.ones(1, length))
        torch.testing.assert_close(alone.logps[0], plain.logps[row, :length], atol=1e-5, rtol=0)


def test_garbage_in_the_padding_changes_nothing():
    policy = llama()
    prompt_ids, prompt_mask, completion, mask = batch(policy)
    plain = policy.token_stats(prompt_ids, prompt_mask, completion, mask)
    other = policy.token_stats(
        torch.where(prompt_mask > 0, prompt_ids, 50), prompt_mask, torch.where(mask > 0, completion, 51), mask
    )
    torch.testing.assert_close(other.logps, plain.logps, atol=1e-5, rtol=0)


def test_tokens_that_do_not_count_are_still_seen_by_later_ones():
    policy = qwen3()
    prompt_ids, prompt_mask, completion, mask = batch(policy)
    holes = mask.clone()
    holes[:, 1:3] = 0
    holes[1] = 0
    stats = policy.token_stats(prompt_ids, prompt_mask, completion, holes)
    whole = policy.token_stats(prompt_ids, prompt_mask, completion, mask)
    torch.testing.assert_close(stats.logps, whole.logps * holes, atol=1e-5, rtol=0)
    torch.testing.assert_close(stats.entropy, whole.entropy * holes, atol=1e-5, rtol=0)


def test_only_counted_tokens_go_through_the_head():
    policy = qwen3()
    rows = []
    policy.model.lm_head.register_forward_hook(lambda _, args, __: rows.append(len(args[0])))
    data = batch(policy)
    policy.token_stats(*data)
    assert rows == [int(data[-1].sum())]


def test_slices_never_hold_more_logits_than_allowed():
    policy = qwen3()
    policy.logits_at_once = 5 * policy.vocabulary
    rows = []
    policy.model.lm_head.register_forward_hook(lambda _, args, __: rows.append(len(args[0])))
    policy.token_stats(*batch(policy)).logps.sum().backward()
    assert max(rows) == 5
    assert sum(rows) == 2 * 20  # forward, and once more in the backward pass


def test_nothing_counted_gives_zeros_and_a_bad_temperature_is_refused():
    policy = qwen3()
    prompt_ids, prompt_mask, completion, mask = batch(policy)
    stats = policy.token_stats(prompt_ids, prompt_mask, completion, mask * 0)
    assert stats.logps.abs().sum() == 0
    assert stats.logps.shape == mask.shape
    with pytest.raises(ValueError, match="temperature"):
        policy.token_stats(prompt_ids, prompt_mask, completion, mask, temperature=0.0)


def test_forbidden_tokens_do_not_make_the_entropy_nan():
    from crucible.policy.token_stats import selected_stats

    logits = torch.tensor([[0.0, 0.0, -torch.inf]], requires_grad=True)
    logps, entropy = selected_stats(logits, torch.tensor([0]), lambda h: h, vocabulary=3, entropy_gradient=True)
    assert logps.item() == pytest.approx(-0.693147, abs=1e-6)
    assert entropy.item() == pytest.approx(0.693147, abs=1e-6)
    (logps + entropy).sum().backward()
    assert logits.grad[0, :2].isfinite().all()


@pytest.mark.parametrize("logits_at_once", [2**24, 3 * 102], ids=["whole", "in slices"])
def test_more_than_log_probs_on_demand(logits_at_once):
    policy = qwen3()
    policy.logits_at_once = logits_at_once
    prompt_ids, prompt_mask, completion, mask = data = batch(policy)
    plain = policy.token_stats(*data, temperature=0.7)
    head = torch.nn.Linear(policy.model.config.hidden_size, 1)

    def read(h):
        return head(h).squeeze(-1)

    stats = policy.token_stats(*data, temperature=0.7, uniform=True, collision=True, hidden=True, value_head=read)
    torch.testing.assert_close(stats.logps, plain.logps, atol=1e-6, rtol=1e-6)
    assert plain.uniform is plain.collision is plain.hidden is plain.values is None
    states = policy.model.get_decoder()(
        input_ids=torch.cat([prompt_ids, completion], 1),
        attention_mask=torch.cat([prompt_mask, torch.ones_like(completion)], 1),
        position_ids=(torch.cat([prompt_mask, torch.ones_like(completion)], 1).cumsum(1) - 1).clamp(min=0),
    ).last_hidden_state[:, prompt_ids.shape[1] - 1 : -1]
    log_probs = (policy.model.get_output_embeddings()(states) / 0.7).log_softmax(-1)
    for row in range(len(mask)):
        counted = mask[row] > 0
        torch.testing.assert_close(stats.uniform[row][counted], log_probs[row][counted].mean(-1), atol=1e-5, rtol=1e-5)
        squares = log_probs[row][counted].exp().square().sum(-1)
        torch.testing.assert_close(stats.collision[row][counted], squares, atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(stats.hidden[row], states[row][counted].mean(0), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(stats.values[row][counted], read(states[row][counted]), atol=1e-5, rtol=0)
        for extra in (stats.uniform, stats.collision, stats.values):
            assert extra[row][~counted].abs().sum() == 0
    assert not any(t.requires_grad for t in (stats.uniform, stats.collision, stats.hidden))
    stats.values.sum().backward()
    assert head.weight.grad.abs().sum() > 0
    nothing = policy.token_stats(*data[:3], mask * 0, uniform=True, hidden=True, value_head=read)
    assert nothing.uniform.abs().sum() == nothing.hidden.abs().sum() == nothing.values.abs().sum() == 0
