"""Advantages against loops over groups in numpy, and in the cases where there is nothing to learn."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible.algorithms.advantages.batch_norm import batch_norm
from crucible.algorithms.advantages.group_center import group_center
from crucible.algorithms.advantages.group_norm import group_norm
from crucible.algorithms.advantages.opo import opo
from crucible.algorithms.advantages.reinforce_plus_plus_baseline import reinforce_plus_plus_baseline
from crucible.algorithms.advantages.rloo import rloo
from crucible.errors import UserError
from crucible.types import Scores

ALL = {
    "group_norm": group_norm,
    "group_norm population": partial(group_norm, std="population", eps=1e-4),
    "group_center": group_center,
    "rloo": rloo,
    "batch_norm": batch_norm,
    "reinforce_plus_plus_baseline": reinforce_plus_plus_baseline,
    "opo": opo,
}
EVERY = pytest.mark.parametrize("name", ALL)


def oracle(name, reward, group, lengths, valid):
    """Advantages (N,) of the rows, by loops over the groups."""
    out = np.zeros(len(reward))
    for g in set(group.tolist()):
        rows = [i for i in range(len(reward)) if group[i] == g and valid[i]]
        r = reward[rows]
        if len(rows) < 2:
            continue
        if name == "group_norm":
            out[rows] = (r - np.mean(r)) / (np.std(r, ddof=1) + 1e-6)
        elif name == "group_norm population":
            out[rows] = (r - np.mean(r)) / (np.std(r) + 1e-4)
        elif name == "rloo":
            out[rows] = [r[i] - np.mean(np.delete(r, i)) for i in range(len(r))]
        elif name == "opo":
            out[rows] = r - np.average(r, weights=lengths[rows])
        else:
            out[rows] = r - np.mean(r)
    known = reward[valid]
    if name == "batch_norm":
        out = out / ((np.std(known, ddof=1) if len(known) > 1 else 0.0) + 1e-6)
    if name == "reinforce_plus_plus_baseline":
        tokens = np.concatenate([[a] * n for a, n, v in zip(out, lengths, valid, strict=True) if v] or [[]])
        if len(tokens) > 1:
            out = (out - tokens.mean()) / np.sqrt(tokens.var(ddof=1) + 1e-8)
        out[~valid] = 0.0
    return out


def run(name, reward, group, lengths, valid=None):
    width = max(int(max(lengths)), 1)
    mask = (torch.arange(width) < torch.tensor(lengths).unsqueeze(-1)).double()
    scores = Scores(torch.tensor(reward, dtype=torch.float64), valid=valid)
    return ALL[name](scores, torch.tensor(group), mask), mask


@EVERY
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), rows=st.integers(1, 14), binary=st.booleans(), failing=st.booleans())
def test_against_loops(name, seed, rows, binary, failing):
    draw = np.random.default_rng(seed)
    reward = draw.integers(0, 2, rows).astype(float) if binary else draw.normal(size=rows)
    group = draw.choice([3, 7, 7000, -1], rows)
    lengths = draw.integers(1, 5, rows)
    valid = draw.random(rows) > 0.3 if failing else np.ones(rows, dtype=bool)
    expected = oracle(name, reward, group, lengths, valid)
    reward[~valid] = np.nan
    found, mask = run(name, reward, group, lengths, torch.tensor(valid) if failing else None)
    assert found.values.shape == mask.shape
    np.testing.assert_allclose(found.values, expected[:, None] * mask.numpy(), rtol=1e-7, atol=1e-9)
    assert found.keep is None or found.keep.tolist() == valid.tolist()
    assert (found.keep is None) == (not failing)


@pytest.mark.parametrize(
    ("name", "reward", "group", "lengths", "expected"),
    [
        ("group_norm", [1, 2, 3, 6], [0] * 4, [1] * 4, [-0.925820, -0.462910, 0, 1.388730]),
        ("group_norm", [1, 0, 0, 1], [0] * 4, [1] * 4, [0.866024, -0.866024, -0.866024, 0.866024]),
        ("group_norm", [1, 0, 0, 0], [0] * 4, [1] * 4, [1.499997, -0.499999, -0.499999, -0.499999]),
        ("group_center", [1, 2, 3, 6], [0] * 4, [1] * 4, [-2, -1, 0, 3]),
        ("rloo", [1, 2, 3, 6], [0] * 4, [1] * 4, [-8 / 3, -4 / 3, 0, 4]),
        ("batch_norm", [1, 0, 1, 1], [0, 0, 1, 1], [1] * 4, [0.999998, -0.999998, 0, 0]),
        (
            "reinforce_plus_plus_baseline",
            [1, 0, 1, 1],
            [0, 0, 1, 1],
            [1] * 4,
            [1.224745, -1.224745, 0, 0],
        ),
        ("opo", [1, 0, 1], [0] * 3, [2, 2, 4], [0.25, -0.75, 0.25]),
        ("opo", [1, 0], [0] * 2, [1, 3], [0.75, -0.25]),
    ],
)
def test_worked_numbers(name, reward, group, lengths, expected):
    found, _ = run(name, [float(r) for r in reward], group, lengths)
    torch.testing.assert_close(found.values[:, 0], torch.tensor(expected, dtype=torch.float64), atol=1e-6, rtol=0)


@EVERY
@pytest.mark.parametrize("reward", [0.0, 0.1, 1.0, -1e8 / 3])
def test_equal_rewards_give_exactly_zero(name, reward):
    """0.1 three times does not average to 0.1 in floating point; a small std must not blow that up."""
    for dtype in (torch.float32, torch.float64):
        scores = Scores(torch.full((7,), reward, dtype=dtype))
        found = ALL[name](scores, torch.tensor([0, 0, 0, 1, 1, 1, 1]), torch.ones(7, 3, dtype=dtype))
        assert torch.all(found.values == 0)
        assert found.values.dtype == dtype


@EVERY
def test_a_group_of_one_says_nothing(name):
    found, _ = run(name, [1.0, 1.0, 0.0], [0, 1, 1], [2, 2, 2])
    assert torch.all(found.values[0] == 0)
    alone, _ = run(name, [5.0], [0], [3])
    assert torch.all(alone.values == 0)


@EVERY
def test_rows_without_reward_are_as_if_absent(name):
    valid = torch.tensor([True, True, False, True, False])
    found, _ = run(name, [1.0, 0.0, float("nan"), 0.5, float("inf")], [0, 0, 0, 0, 1], [2, 3, 4, 4, 4], valid)
    without, _ = run(name, [1.0, 0.0, 0.5], [0, 0, 0], [2, 3, 4])
    torch.testing.assert_close(found.values[[0, 1, 3]], without.values)
    assert torch.all(found.values[[2, 4]] == 0)
    assert found.keep.tolist() == valid.tolist()


@EVERY
def test_no_row_with_a_reward(name):
    valid = torch.zeros(3, dtype=torch.bool)
    found, _ = run(name, [float("nan")] * 3, [0, 0, 1], [1, 2, 3], valid)
    assert torch.all(found.values == 0)


@EVERY
def test_row_order_group_numbers_and_padding_do_not_matter(name):
    reward, group, lengths = [1.0, 0.0, 0.3, 0.9, 0.2, 0.4], [5, 5, 5, 2, 2, 2], [1, 4, 2, 3, 3, 1]
    base, mask = run(name, reward, group, lengths)
    order = torch.tensor([3, 0, 4, 2, 5, 1])
    scores = Scores(torch.tensor(reward, dtype=torch.float64)[order])
    renamed = torch.tensor([{5: -8, 2: 10**12}[g] for g in group])[order]
    wide = torch.nn.functional.pad(mask[order], (0, 2))
    found = ALL[name](scores, renamed, wide)
    torch.testing.assert_close(found.values[:, :-2], base.values[order])
    assert torch.all(found.values[:, -2:] == 0)


@EVERY
def test_a_row_without_tokens_gets_no_advantage(name):
    found, _ = run(name, [1.0, 0.0, 0.5], [0, 0, 0], [3, 0, 2])
    assert torch.all(found.values[1] == 0)
    assert found.values.isfinite().all()
    nothing, _ = run(name, [1.0, 0.0], [0, 0], [0, 0])
    assert torch.all(nothing.values == 0)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), shift=st.floats(-5, 5), scale=st.floats(0.1, 10))
def test_shift_and_scale(seed, shift, scale):
    draw = np.random.default_rng(seed)
    reward, group = draw.permutation(8).astype(float), np.repeat([0, 1], 4)
    for name in ALL:
        base = run(name, reward, group, [2] * 8)[0].values
        shifted = run(name, reward + shift, group, [2] * 8)[0].values
        torch.testing.assert_close(shifted, base, rtol=1e-7, atol=1e-9)
        scaled = run(name, reward * scale, group, [2] * 8)[0].values
        factor = scale if name in ("group_center", "rloo", "opo") else 1.0
        torch.testing.assert_close(
            scaled, base * factor, rtol=1e-3, atol=1e-6
        )  # eps = 1e-4 beside a std of at least 0.1


def test_integer_rewards():
    found = group_center(Scores(torch.tensor([1, 0])), torch.tensor([0, 0]), torch.ones(2, 1))
    assert found.values.flatten().tolist() == [0.5, -0.5]


def test_a_valid_row_without_a_number_is_refused():
    with pytest.raises(UserError, match="row 1 is nan"):
        run("group_norm", [1.0, float("nan")], [0, 0], [1, 1])


def test_unknown_std_is_refused_with_the_nearest_name():
    with pytest.raises(UserError, match='did you mean "population"'):
        group_norm(Scores(torch.zeros(2)), torch.zeros(2), torch.ones(2, 1), std="populaton")
