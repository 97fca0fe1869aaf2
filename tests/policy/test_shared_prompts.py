"""Prompts computed once and no padding: the same log-probs, entropies and gradients as padded rows, to rounding."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible.policy.shared_prompts import fits
from crucible.types import Prompt
from tests.policy.models import gpt2, llama, qwen3
from tests.policy.test_token_stats import gradients, naive

sizes = st.lists(
    st.tuples(st.integers(1, 9), st.lists(st.integers(0, 7), min_size=1, max_size=4)), min_size=1, max_size=4
)


def batch(policy, groups, seed=0):
    """Rows of `groups` = [(prompt tokens, [tokens of each completion])], shuffled; some tokens do not count."""
    generator = torch.Generator().manual_seed(seed)
    texts = ["".join(str(int(d)) for d in torch.randint(0, 10, (n,), generator=generator)) for n, _ in groups]
    lengths = torch.tensor([n for _, row in groups for n in row])
    prompts = [Prompt(str(i), text) for i, (text, (_, row)) in enumerate(zip(texts, groups, strict=True)) for _ in row]
    order = torch.randperm(len(prompts), generator=generator)
    prompt_ids, prompt_mask = policy.encode([prompts[i] for i in order])
    width = max(1, int(lengths.max()))
    completion = torch.randint(0, 100, (len(prompts), width), generator=generator)
    mask = (torch.arange(width) < lengths[order, None]).float()
    holes = torch.rand(mask.shape, generator=generator) < 0.2
    return prompt_ids, prompt_mask, completion, mask * ~holes


@pytest.mark.parametrize("make", [qwen3, llama, gpt2])
@settings(max_examples=8, deadline=None)
@given(groups=sizes, seed=st.integers(0, 99))
def test_value_and_gradient_equal_the_plain_computation(make, groups, seed):
    policy = make()
    data = batch(policy, groups, seed)
    if not data[-1].any():
        return
    assert policy.shares(data[0].shape[1] + data[-1].shape[1])
    stats = policy.token_stats(*data)
    logps, entropy = naive(policy, *data)
    torch.testing.assert_close(stats.logps, logps, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(stats.entropy, entropy, atol=1e-5, rtol=1e-5)
    weights = torch.randn(logps.shape, generator=torch.Generator().manual_seed(seed))
    got, expected = gradients(policy, (stats.logps * weights).sum()), gradients(policy, (logps * weights).sum())
    torch.testing.assert_close(got, expected, atol=1e-5 * max(1.0, float(expected.abs().max())), rtol=1e-4)


def test_switched_off_only_rounding_differs():
    policy = qwen3()
    policy.model.double()  # its norms stay in float32
    data = batch(policy, [(6, [5, 3, 7]), (3, [4, 1])])
    kept = policy.token_stats(*data)
    policy.shared_prompts = False
    padded = policy.token_stats(*data)
    weights = torch.linspace(-1, 1, kept.logps.numel()).view_as(kept.logps)
    got, expected = gradients(policy, (kept.logps * weights).sum()), gradients(policy, (padded.logps * weights).sum())
    assert expected.norm() > 1
    torch.testing.assert_close(got, expected, atol=1e-6 * float(expected.abs().max()), rtol=1e-6)


def test_prompts_are_told_apart_by_their_tokens_and_not_by_who_is_next_to_whom():
    """The same tokens behind other padding, and one prompt that is the end of another."""
    policy = qwen3()
    prompts = [Prompt("a", "12=7"), Prompt("b", "2=7"), Prompt("c", "12=7")]
    prompt_ids, prompt_mask = policy.encode(prompts)
    completion, mask = torch.randint(0, 100, (3, 5)), torch.ones(3, 5)
    stats = policy.token_stats(prompt_ids, prompt_mask, completion, mask)
    logps, _ = naive(policy, prompt_ids, prompt_mask, completion, mask)
    torch.testing.assert_close(stats.logps, logps, atol=1e-5, rtol=1e-5)


def test_the_decoder_sees_each_prompt_once_and_no_padding():
    policy, seen = qwen3(), []
    policy.model.get_decoder().embed_tokens.register_forward_hook(
        lambda module, given, out: seen.append(given[0].numel())
    )
    prompt_ids, prompt_mask = policy.encode([Prompt("a", "1+2+3-4=")] * 3 + [Prompt("b", "7=")])
    mask = (torch.arange(9) < torch.tensor([9, 2, 5, 1])[:, None]).float()
    policy.token_stats(prompt_ids, prompt_mask, torch.randint(0, 100, (4, 9)), mask)
    once = int(prompt_mask[0].sum() + prompt_mask[3].sum())
    assert seen == [once + 8 + 1 + 4 + 0]  # the prompts, then each completion without its last token


def test_models_it_does_not_fit():
    policy = llama()
    assert fits(policy.model, 64)
    policy.model.config.sliding_window = 16
    assert fits(policy.model, 16)
    assert not fits(policy.model, 17)
    policy.model.config.sliding_window = None
    policy.model.set_attn_implementation("eager")
    assert not fits(policy.model, 64)
    dropping = gpt2()  # with its dropout of 0.1
    assert fits(dropping.model, 64)
    dropping.model.train()
    assert not fits(dropping.model, 64)


def test_gradient_checkpointing_sees_the_same_layout_again():
    policy = qwen3()
    data = batch(policy, [(5, [4, 6]), (2, [3])])
    plain = gradients(policy, policy.token_stats(*data).logps.sum())
    policy.model.gradient_checkpointing_enable({"use_reentrant": False})
    policy.model.train()
    again = gradients(policy, policy.token_stats(*data).logps.sum())
    assert torch.equal(plain, again)
