"""One copy of a prompt for all its samples: the same attention, tokens and log-probs as a copy for each."""

from __future__ import annotations

import pytest
import torch

from crucible.rollout.cache import RowCache, fill_holes
from crucible.rollout.embedded import EmbeddedEngine
from crucible.rollout.shared_cache import SharedCache
from crucible.types import Prompt, Sampling
from tests.policy.models import llama, qwen3

PROMPTS = [Prompt("a", "1+2+3-4+5-6+7-8+9="), Prompt("b", "7+8-6="), Prompt("c", "9-8+7-6+5-4+3="), Prompt("d", "2+2=")]


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("kv_heads", [1, 2])
def test_attention_equals_a_copy_for_each_row_while_rows_leave(padded, kv_heads):
    torch.manual_seed(0)
    prompts, samples, width, heads, dim, steps = 3, 4, 5, 4, 8, 6
    seen = torch.ones(prompts, width, dtype=torch.long)
    if padded:
        seen[0, :3] = seen[2, :1] = 0
    source = torch.arange(prompts).repeat_interleave(samples)
    start = RowCache(1, width)
    start.update(torch.randn(prompts, kv_heads, width, dim), torch.randn(prompts, kv_heads, width, dim), 0)
    shared, plain = SharedCache(start, samples, steps, seen), start.expand(source, width + steps)
    visible = torch.cat([seen[source], torch.ones(len(source), steps)], 1).bool()[:, None, None, :]
    leaving = [[], [0, 5, 11], [1, 2, 3], [], [0, 2], []]  # the first prompt's rows are the first to be gone
    rows = len(source)
    for step, gone in enumerate(leaving):
        query = torch.randn(rows, heads, dim)
        key, value = torch.randn(2, rows, kv_heads, dim)
        seen_now = visible[..., : width + step + 1]
        right = plain.attend(0, query, key, value, seen_now, 0.4)
        torch.testing.assert_close(shared.attend(0, query, key, value, None, 0.4), right, atol=1e-6, rtol=1e-5)
        if gone:
            keep = torch.ones(rows, dtype=torch.bool)
            keep[gone] = False
            order, holes, movers = fill_holes(keep)
            for cache in (shared, plain):
                cache.shrink(len(order), holes, movers)
            visible, rows = visible[order], len(order)


def test_prompts_without_rows_are_dropped():
    start = RowCache(1, 2)
    start.update(torch.randn(4, 1, 2, 8), torch.randn(4, 1, 2, 8), 0)
    cache = SharedCache(start, 2, 3, torch.ones(4, 2))
    query = torch.randn(8, 1, 8)
    cache.attend(0, query, query, query, None, 1.0)
    order, holes, movers = fill_holes(torch.tensor([False, False, True, True, False, False, False, True]))
    cache.shrink(len(order), holes, movers)
    assert len(cache.prompts[0][0]) == 2


@pytest.mark.parametrize("make", [qwen3, llama])
@pytest.mark.parametrize("max_rows", [512, 8, 3])
def test_the_engine_samples_the_same_tokens(make, max_rows):
    policy = make()
    policy.model.generation_config.eos_token_id = list(range(6, 102, 9))
    sampling = Sampling(max_tokens=12, temperature=1.0, seed=4)
    first, second = (
        EmbeddedEngine(policy, max_rows=max_rows, shared_prompts=shared).generate(PROMPTS, 6, sampling)
        for shared in (True, False)
    )
    assert torch.equal(first.completion_ids, second.completion_ids)
    assert len(set(first.lengths.tolist())) > 2  # rows leave at different times
    torch.testing.assert_close(first.sampling_logps, second.sampling_logps, atol=2e-4, rtol=0)
