"""What must hold for every entropy control under conf/entropy, whatever it does."""

from __future__ import annotations

import io
import math

import pytest
import torch

from crucible.algorithms.given import SHAPE, UPDATE, names, overridden
from crucible.entropy.base import EntropyControl
from tests.entropy.world import FILES, Batch, control_of, primed, shaped, step

EVERY = pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)


def strong(file):
    """The control of a YAML after a step of low entropy."""
    return primed(control_of(file))


def assert_same(a, b):
    for name in vars(a):
        torch.testing.assert_close(getattr(a, name), getattr(b, name), rtol=1e-9, atol=1e-12, msg=name)


@EVERY
def test_hooks_ask_only_for_what_a_run_can_give(file):
    control = control_of(file)
    assert isinstance(control, EntropyControl)
    assert control.shapes == (overridden(control, "shape", EntropyControl) is not None)
    for hook, vocabulary in (("shape", SHAPE), ("weigh", UPDATE), ("loss_term", UPDATE)):
        if found := overridden(control, hook, EntropyControl):
            assert set(names(found)) <= set(vocabulary)


@EVERY
def test_it_does_something_unless_it_is_none(file):
    batch = Batch.random()
    done = step(strong(file), batch)
    changed = (
        overridden(control_of(file), "temperature", EntropyControl) is not None  # acts on what is sampled
        or overridden(control_of(file), "more", EntropyControl) is not None
        or not torch.equal(done.advantages, batch.advantages)
        or not torch.equal(done.weights, batch.mask)
        or bool(done.term.any())
    )
    assert changed == (file.stem != "none")


@EVERY
def test_padding_changes_nothing(file):
    batch = Batch.random()
    narrow = step(strong(file), batch)
    wide = step(strong(file), batch.padded(3))
    for name, value in vars(wide).items():
        torch.testing.assert_close(value[:, :5], getattr(narrow, name), rtol=1e-9, atol=1e-12, msg=name)
        assert not value[:, 5:].any()


@EVERY
def test_a_row_without_tokens_changes_nothing(file):
    batch = Batch.random()
    alone, more = step(strong(file), batch), step(strong(file), batch.with_empty_row())
    for name, value in vars(more).items():
        torch.testing.assert_close(value[:-1], getattr(alone, name), rtol=1e-9, atol=1e-12, msg=name)
        assert not value[-1].any()


@EVERY
def test_the_order_of_rows_does_not_matter(file):
    batch = Batch.random()
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    there, here = step(strong(file), batch.rows(order)), step(strong(file), batch)
    assert_same(there, type(here)(**{name: value[order] for name, value in vars(here).items()}))


@EVERY
def test_micro_batches_do_not_matter(file):
    batch = Batch.random()
    assert_same(step(strong(file), batch, [[4], [0, 3], [1, 2, 5]]), step(strong(file), batch))


@EVERY
@pytest.mark.parametrize("case", ["all_masked", "one_token", "equal_advantages", "no_positive", "certain", "alike"])
def test_degenerate_batches_give_numbers(file, case):
    batch = Batch.random()
    if case == "all_masked":
        batch.mask, batch.advantages = torch.zeros_like(batch.mask), torch.zeros_like(batch.mask)
    elif case == "one_token":
        batch = Batch.of([[1.0]], [[-0.5]], old_logps=[[-0.7]], entropy=[[0.3]], old_entropy=[[0.2]])
    elif case == "equal_advantages":
        batch.advantages = 0.7 * batch.mask
    elif case == "no_positive":
        batch.advantages = -batch.advantages.abs()
    elif case == "certain":
        batch.entropy, batch.old_entropy = torch.zeros_like(batch.mask), torch.zeros_like(batch.mask)
        batch.logps, batch.old_logps = torch.zeros_like(batch.mask), torch.zeros_like(batch.mask)
    else:
        batch = batch.rows(torch.zeros(6, dtype=torch.int64))
    done = step(strong(file), batch)
    for name, value in vars(done).items():
        assert value.isfinite().all(), name
    if case == "all_masked":
        assert not any(value.any() for value in vars(done).values())


@EVERY
def test_a_batch_without_signal_gets_none(file):
    batch = Batch.random()
    batch.advantages = torch.zeros_like(batch.mask)
    assert not shaped(strong(file), batch).values.any()


@EVERY
def test_rows_that_are_left_out_do_not_count(file):
    """Rows with keep False take no part in statistics over rows."""
    batch = Batch.random()
    keep = torch.tensor([True, True, False, True, True, True])
    other = Batch.random()
    other.old_logps[2], other.old_entropy[2] = -1e-3, 0.06
    if file.stem == "hepo":  # ranks tokens, as the code does
        other.old_entropy[2] = batch.old_entropy[2]
    a, b = shaped(strong(file), batch, keep), shaped(strong(file), other, keep)
    torch.testing.assert_close(a.values[keep], b.values[keep])
    assert torch.equal(a.keep, keep)


@EVERY
def test_the_weights_carry_no_gradient_and_are_shares(file):
    weights = step(strong(file), Batch.random()).weights
    assert not weights.requires_grad
    assert weights.min() >= 0.0
    assert weights.max() <= 1.0


@EVERY
def test_gradient_of_the_entropy_is_asked_for_where_it_is_used(file):
    control = strong(file)
    done = step(control, Batch.random())
    assert control.needs_gradient == bool(done.term_entropy_gradient.any())


@EVERY
def test_a_checkpoint_holds_all_of_the_state(file):
    """A run that is stopped after each step, and started again, ends as one that is not."""
    straight, stopped = strong(file), strong(file)
    for number, entropy in enumerate((0.1, 0.3, 0.15, 0.9)):
        assert_same(step(straight, Batch.random(seed=number)), step(stopped, Batch.random(seed=number)))
        assert straight.after_step(entropy) == stopped.after_step(entropy)
        stored = io.BytesIO()
        torch.save(stopped.state_dict(), stored)
        stored.seek(0)
        stopped = control_of(file)
        stopped.load_state_dict(torch.load(stored, weights_only=True))
        assert stopped.state_dict() == straight.state_dict()


@EVERY
def test_its_metrics_are_numbers_in_their_own_corner(file):
    control = strong(file)
    step(control, Batch.random())
    for name, value in control.after_step(0.4).items():
        assert name.startswith("entropy/")
        assert isinstance(value, float)
        assert math.isfinite(value)
