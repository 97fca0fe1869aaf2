from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from crucible.modules.microbatch import micro_batches, split_groups
from crucible.types import Prompt, Rollouts


def rollouts(prompt_lengths, completion_lengths):
    n, tp, t = len(prompt_lengths), max(prompt_lengths), max(completion_lengths)
    prompt_mask = (torch.arange(tp) >= tp - torch.tensor(prompt_lengths)[:, None]).long()
    mask = (torch.arange(t) < torch.tensor(completion_lengths)[:, None]).float()
    return Rollouts(
        prompt_ids=prompt_mask,
        prompt_mask=prompt_mask,
        completion_ids=mask.long(),
        mask=mask,
        sampling_logps=-mask,
        group=torch.arange(n),
        policy_version=torch.zeros(n, dtype=torch.long),
        prompts=[Prompt(id=str(i)) for i in range(n)],
        texts=[""] * n,
        finish_reason=["stop"] * n,
    )


lengths = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=20)


@given(lengths, st.integers(1, 60))
def test_every_row_once_within_the_budget_and_nothing_cut_off(sizes, tokens):
    x = rollouts(*zip(*sizes, strict=True))
    rows = torch.arange(len(sizes)).flip(0)
    pieces = list(micro_batches(x, rows, tokens))
    assert sorted(torch.cat([p.index for p in pieces]).tolist()) == list(range(len(sizes)))
    for piece in pieces:
        assert len(piece.index) == 1 or len(piece.index) * (piece.prompt_width + piece.width) <= tokens
        assert piece.of(x.mask).sum() == x.mask[piece.index].sum()
        assert x.prompt_mask[piece.index, -piece.prompt_width :].sum() == x.prompt_mask[piece.index].sum()


@given(lengths, st.integers(1, 4), st.integers(1, 60), st.booleans())
def test_with_shared_prompts_groups_stay_together_as_far_as_they_fit(sizes, samples, tokens, whole_groups):
    prompts = [p for p, _ in sizes for _ in range(samples)]
    x = rollouts(prompts, [1 + (c + i) % 9 for i, (_, c) in enumerate(s for s in sizes for _ in range(samples))])
    x.group = torch.arange(len(sizes)).repeat_interleave(samples)
    rows = torch.arange(len(x)).flip(0)
    pieces = list(micro_batches(x, rows, tokens, shared=True, whole_groups=whole_groups))
    assert sorted(torch.cat([p.index for p in pieces]).tolist()) == list(range(len(x)))
    for piece in pieces:
        groups = x.group[piece.index].unique()
        size = sum(prompts[int(g) * samples] for g in groups) + int(x.mask[piece.index].sum())
        assert size <= tokens or len(groups) == 1
        assert whole_groups or size <= tokens or len(piece.index) == 1
        assert piece.of(x.mask).sum() == x.mask[piece.index].sum()
        assert x.prompt_mask[piece.index, -piece.prompt_width :].sum() == x.prompt_mask[piece.index].sum()
    homes = [set(x.group[p.index].tolist()) for p in pieces]
    for g in range(len(sizes)):  # a group is torn apart only where it does not fit into one piece
        fits = prompts[g * samples] + int(x.mask[x.group == g].sum()) <= tokens
        assert sum(g in home for home in homes) == 1 or not (fits or whole_groups)


def test_no_rows_no_micro_batches():
    assert list(micro_batches(rollouts([1], [1]), torch.tensor([], dtype=torch.long), 10)) == []


@given(st.integers(1, 9), st.integers(1, 4), st.integers(1, 6), st.integers(0, 2**30))
def test_updates_share_out_whole_groups_and_kept_rows_only(groups, size, updates, seed):
    group = torch.arange(groups).repeat_interleave(size)
    keep = torch.rand(len(group), generator=torch.Generator().manual_seed(seed)) > 0.3
    pieces = split_groups(group, keep, updates, torch.Generator().manual_seed(seed))
    assert len(pieces) == updates
    assert sorted(torch.cat(pieces).tolist()) == torch.nonzero(keep).flatten().tolist()
    homes = [set(group[piece].tolist()) for piece in pieces]
    assert sum(map(len, homes)) == len(set().union(*homes))
    sizes = [len(home) for home in homes]
    assert max(sizes) - min(sizes) <= 1
