from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from crucible.policy.attention import attention, use_own_attention
from crucible.policy.shared_prompts import NAME
from crucible.rollout.cache import RowCache, fill_holes
from tests.policy.models import llama


def filled(rows: int, tokens: int, capacity: int) -> RowCache:
    cache = RowCache(2, capacity)
    for layer in range(2):
        states = torch.randn(rows, 3, tokens, 4)
        cache.update(states, -states, layer)
    return cache


def test_updates_append_in_place():
    cache = RowCache(1, 5)
    one, two = torch.randn(2, 3, 2, 4), torch.randn(2, 3, 1, 4)
    cache.update(one, -one, 0)
    buffer = cache.layers[0].keys
    keys, values = cache.update(two, -two, 0)
    assert torch.equal(keys, torch.cat([one, two], 2))
    assert torch.equal(values, -keys)
    assert cache.layers[0].keys is buffer
    assert cache.get_seq_length() == 3


def test_expanding_copies_the_chosen_rows():
    cache = filled(3, 4, 4)
    source = torch.tensor([0, 0, 2, 1])
    wide = cache.expand(source, 9)
    for old, new in zip(cache.layers, wide.layers, strict=True):
        assert torch.equal(new.keys[:, :, :4], old.keys[source])
        assert torch.equal(new.values[:, :, :4], old.values[source])
        assert (new.length, new.capacity) == (4, 9)


@pytest.mark.parametrize("capacity", [1, 7, 8, 9, 40, 200])
def test_the_room_grows_with_the_tokens_and_never_beyond_the_capacity(capacity):
    cache, states = RowCache(1, capacity), torch.randn(2, 3, capacity, 4)
    layer, rooms = cache.layers[0], []
    for i in range(capacity):
        keys, values = cache.update(states[:, :, i : i + 1], -states[:, :, i : i + 1], 0)
        assert torch.equal(keys, states[:, :, : i + 1])
        assert torch.equal(values, -keys)
        rooms.append(layer.keys.shape[2])
        assert i < rooms[-1] <= min(capacity, max(8, 1.125 * (i + 1)))
    assert len(set(rooms)) <= 40  # seldom, and not with every token
    with pytest.raises(ValueError, match=f"{capacity + 1} tokens in a cache for {capacity}"):
        cache.update(states[:, :, :1], states[:, :, :1], 0)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=20))
def test_packing_keeps_every_live_row_once_and_moves_as_few_as_possible(keep):
    keep = torch.tensor(keep)
    order, holes, movers = fill_holes(keep)
    assert sorted(order.tolist()) == keep.nonzero().squeeze(1).tolist()
    assert len(holes) == len(movers) == int((~keep[: len(order)]).sum())
    cache = filled(len(keep), 3, 5)
    before = [layer.keys.clone() for layer in cache.layers]
    cache.shrink(len(order), holes, movers)
    for old, layer in zip(before, cache.layers, strict=True):
        assert torch.equal(layer.keys[:, :, :3], old[order, :, :3])
        assert torch.equal(layer.values[:, :, :3], -old[order, :, :3])


def test_grouped_attention_equals_attention_over_repeated_heads():
    torch.manual_seed(0)
    query, key, value = torch.randn(5, 6, 1, 8), torch.randn(5, 2, 7, 8), torch.randn(5, 2, 7, 8)
    visible = torch.rand(5, 1, 1, 7) > 0.3
    visible[..., -1] = True
    out, _ = attention(nn.Identity(), query, key, value, visible, scaling=0.4)
    keys, values = key.repeat_interleave(3, 1), value.repeat_interleave(3, 1)
    scores = (query @ keys.transpose(2, 3) * 0.4).masked_fill(~visible, -torch.inf)
    torch.testing.assert_close(out, (scores.softmax(-1) @ values).transpose(1, 2), atol=1e-6, rtol=1e-6)


def test_our_attention_takes_the_place_of_sdpa_alone_and_is_not_saved():
    model = llama().model
    assert model.config._attn_implementation == NAME
    assert NAME not in model.config.to_json_string()
    model.set_attn_implementation("eager")
    use_own_attention(model)
    assert model.config._attn_implementation == "eager"
