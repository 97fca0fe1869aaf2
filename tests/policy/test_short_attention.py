"""Attention of short completions as products: against float64 sums written out, and against torch's kernel."""

from __future__ import annotations

import pytest
import torch

from crucible.policy import shared_prompts
from crucible.policy.fused_layers import use_fused_layers
from crucible.policy.short_attention import fits, short_attention
from tests.policy.models import qwen3
from tests.policy.test_shared_prompts import batch

PROMPTS, WIDTH, TOKENS, HEADS, SHARED, DIM = 3, 4, 5, 4, 2, 6
SOURCE = torch.tensor([2, 0, 0, 1, 2])  # not sorted, so nothing may lean on adjacent rows


def given(dtype, seed=0):
    """Queries, prompt keys and values, own keys and values, and which prompt tokens are real (P, Tp)."""
    generator = torch.Generator().manual_seed(seed)
    heads = (HEADS, SHARED, SHARED, SHARED, SHARED)
    sizes = [(len(SOURCE), TOKENS)] + [(PROMPTS, WIDTH)] * 2 + [(len(SOURCE), TOKENS)] * 2
    states = [
        torch.randn(*size, h, DIM, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()
        for size, h in zip(sizes, heads, strict=True)
    ]
    return states, torch.arange(WIDTH) < torch.tensor([4, 2, 3])[:, None]


def mask_of(real, dtype):
    """(R, 1, T x group, Tp + T): the prompt's real tokens, then the row's own up to itself, `group` lines a token."""
    own = torch.ones(TOKENS, TOKENS).tril().bool().expand(len(SOURCE), -1, -1)
    seen = torch.cat([real[SOURCE][:, None].expand(-1, TOKENS, -1), own], -1)
    hidden = torch.zeros(seen.shape, dtype=dtype).masked_fill_(~seen, -torch.inf)
    return hidden.repeat_interleave(HEADS // SHARED, 1)[:, None]


def written_out(query, prompt_k, prompt_v, own_k, own_v, real, scale):
    """One row, head and token at a time."""
    rows = []
    for row, prompt in enumerate(SOURCE.tolist()):
        for token in range(TOKENS):
            for head in range(HEADS):
                of = head // (HEADS // SHARED)
                keys = torch.cat([prompt_k[prompt, real[prompt], of], own_k[row, : token + 1, of]])
                values = torch.cat([prompt_v[prompt, real[prompt], of], own_v[row, : token + 1, of]])
                weights = torch.softmax(scale * keys @ query[row, token, head], 0)
                rows.append(weights @ values)
    return torch.stack(rows).view(query.shape)


@pytest.mark.parametrize(("dtype", "close"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_value_and_gradient(dtype, close):
    states, real = given(dtype)
    by_out = torch.randn(states[0].shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    query, prompt_k, prompt_v, own_k, own_v = states
    out = short_attention(query, (prompt_k, prompt_v), (own_k, own_v), SOURCE, mask_of(real, dtype), 0.3)
    got = torch.autograd.grad(out, states, by_out.to(dtype))
    exact = [s.detach().double().requires_grad_() for s in states]
    expected_out = written_out(*exact, real, 0.3)
    expected = torch.autograd.grad(expected_out, exact, by_out)
    torch.testing.assert_close(out.double(), expected_out, atol=close, rtol=close)
    for mine, theirs in zip(got, expected, strict=True):
        torch.testing.assert_close(mine.double(), theirs, atol=10 * close, rtol=10 * close)


def test_what_no_token_sees_has_no_gradient():
    states, real = given(torch.float32)
    query, prompt_k, prompt_v, own_k, own_v = states
    out = short_attention(query, (prompt_k, prompt_v), (own_k, own_v), SOURCE, mask_of(real, torch.float32), 0.3)
    for states in torch.autograd.grad(out.square().sum(), (prompt_k, prompt_v)):
        assert not states[~real].any()
        assert states[real].any()


@pytest.mark.parametrize(("tokens", "used"), [(95, True), (96, False)])
def test_from_192_queries_of_a_head_on_it_is_the_kernel(tokens, used):
    query, key = torch.zeros(1, tokens, 4, 8), torch.zeros(1, tokens, 2, 8)
    assert fits(query, key) is used
    assert not fits(query.bfloat16(), key.bfloat16())


def test_only_the_fused_layers_use_it(monkeypatch):
    calls = []

    def spy(*given):
        calls.append(given)
        return short_attention(*given)

    monkeypatch.setattr(shared_prompts.short_attention, "short_attention", spy)
    policy = qwen3()
    data = batch(policy, [(6, [5, 3, 7]), (3, [4])])
    policy.token_stats(*data)
    assert len(calls) == policy.model.config.num_hidden_layers
    use_fused_layers(policy.model, on=False)
    policy.token_stats(*data)
    assert len(calls) == policy.model.config.num_hidden_layers
