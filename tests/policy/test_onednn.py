"""Products by oneDNN: against formulas in float64, and where they are left to torch's BLAS."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.profiler import ProfilerActivity, profile

from crucible.policy import onednn
from crucible.policy.fused_mlp import gated_mlp
from crucible.policy.onednn import linear_of, use_onednn, weight_gradient
from crucible.policy.tiled_head import tiled_stats
from crucible.rollout.embedded import EmbeddedEngine
from crucible.types import Prompt, Sampling
from tests.policy.models import qwen3

here = pytest.mark.skipif(not onednn.AVAILABLE, reason="this processor has no AVX-512")
OPERATION = "mkldnn::_linear_pointwise"


def calls(do):
    """How often oneDNN is called."""
    with profile(activities=[ProfilerActivity.CPU]) as found:
        do()
    return sum(event.count for event in found.key_averages() if event.key == OPERATION)


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@here
@pytest.mark.parametrize("lead", [(400,), (4, 100), (1, 400)])
@pytest.mark.parametrize(("width", "out"), [(64, 192), (192, 64), (96, 96), (61, 67)])
@pytest.mark.parametrize("bias", [True, False])
def test_value_and_gradient(lead, width, out, bias):
    layer = nn.Linear(width, out, bias=bias)
    use_onednn(layer)
    x = drawn(*lead, width).requires_grad_()
    by_out = drawn(*lead, out, seed=1)
    before = by_out.clone()
    inputs = [x, *layer.parameters()]

    def both():
        return (found := layer(x)), torch.autograd.grad(found, inputs, by_out)

    assert calls(both) == 3  # the value, and two of the gradients
    value, gradient = both()
    assert torch.equal(by_out, before)
    exact = [t.detach().double().requires_grad_() for t in inputs]
    expected = torch.einsum("...k,nk->...n", exact[0], exact[1]) + (exact[2] if bias else 0)
    torch.testing.assert_close(value.double(), expected, atol=1e-5, rtol=1e-5)
    for mine, theirs in zip(gradient, torch.autograd.grad(expected, exact, by_out.double()), strict=True):
        torch.testing.assert_close(mine.double(), theirs, atol=1e-4, rtol=1e-5)


@here
@pytest.mark.parametrize("turned", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize(("columns", "width"), [(64, 192), (192, 64)])
def test_the_gradient_of_a_weight_whatever_lies_where_in_memory(turned, columns, width):
    by_out, x = drawn(304, columns), drawn(304, width, seed=1)
    by, states = (t.T.contiguous().T if turn else t for t, turn in zip((by_out, x), turned, strict=True))
    assert calls(lambda: weight_gradient(by, states)) == 1
    torch.testing.assert_close(
        weight_gradient(by, states).double(), by_out.double().T @ x.double(), atol=1e-4, rtol=1e-5
    )


@here
def test_an_mlp():
    tensors = [t.requires_grad_() for t in (drawn(304, 64), drawn(192, 64) / 8, drawn(192, 64) / 8, drawn(64, 192) / 8)]
    by_out = drawn(304, 64, seed=1)

    def both(linear):
        out = gated_mlp(*tensors, linear)
        return out, *torch.autograd.grad(out, tensors, by_out)

    assert calls(lambda: both(onednn.linear)) == 9
    assert calls(lambda: both(functional.linear)) == 0
    exact = [t.detach().double().requires_grad_() for t in tensors]
    x, gate, up, down = exact
    gated = x @ gate.T
    expected = (gated * torch.sigmoid(gated) * (x @ up.T)) @ down.T
    for mine, theirs in zip(
        both(onednn.linear), (expected, *torch.autograd.grad(expected, exact, by_out.double())), strict=True
    ):
        torch.testing.assert_close(mine.double(), theirs, atol=1e-4, rtol=1e-5)


def test_few_numbers_of_rows_are_met():
    numbers = [onednn.aligned(rows) for rows in range(1, 4097)]
    assert all(rows <= number <= max(rows + 7, 1.0625 * rows + 1) for rows, number in enumerate(numbers, 1))
    assert [onednn.aligned(number) for number in numbers] == numbers
    assert len(set(numbers)) == 16 + 5 * 16  # multiples of 8 up to 128, then sixteen for each power of two


@here
def test_spare_rows_are_for_products_that_pay():
    weight = drawn(192, 64)
    assert onednn.spare(301, weight, onednn.linear) == 3
    assert onednn.spare(301, weight, functional.linear) == 0
    assert onednn.spare(301, weight.double(), onednn.linear) == 0
    assert onednn.spare(3, weight, onednn.linear) == 0


def test_only_what_learns_gets_a_gradient():
    layer = nn.Linear(64, 192)
    use_onednn(layer)
    x = drawn(304, 64).requires_grad_()
    layer.weight.requires_grad_(False)
    layer(x).sum().backward()
    assert layer.weight.grad is None
    assert x.grad is not None
    assert layer.bias.grad is not None
    with torch.no_grad():
        assert not layer(x).requires_grad


@pytest.mark.parametrize(
    ("x", "why"),
    [
        (drawn(4, 64), "few multiply-adds"),
        (drawn(301, 64), "a number of rows of its own"),
        (drawn(304, 64).double(), "another type"),
        (drawn(304, 64).bfloat16(), "another type"),
        (drawn(304, 64).to("meta"), "another device"),
    ],
)
def test_the_rest_is_left_to_the_layer(x, why):
    layer = nn.Linear(64, 192).to(x.device, x.dtype)
    plain = copy.deepcopy(layer)
    use_onednn(layer)
    found = layer(x)
    assert found.dtype == x.dtype, why
    if x.device.type == "cpu":
        assert torch.equal(found, plain(x)), why
        assert calls(lambda: layer(x)) == 0, why


def test_autocast_is_left_to_the_layer():
    layer = nn.Linear(64, 192)
    use_onednn(layer)
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(drawn(304, 64)).dtype == torch.bfloat16


@here
def test_it_is_switched_off():
    layer = nn.Linear(64, 192)
    use_onednn(layer)
    assert linear_of(layer) is onednn.linear
    assert calls(lambda: layer(drawn(304, 64))) == 1
    use_onednn(layer, on=False)
    assert linear_of(layer) is functional.linear
    assert calls(lambda: layer(drawn(304, 64))) == 0
    assert "forward" not in layer.__dict__


class Adapter(nn.Linear):
    """What goes by the same name as torch's own layer, and computes something else."""

    def forward(self, input):
        return torch.zeros(())


def test_a_class_that_inherits_keeps_its_forward():
    adapter = Adapter(64, 192)
    adapter.__class__.__name__ = "Linear"
    use_onednn(adapter)
    assert adapter(drawn(304, 64)).shape == ()
    assert linear_of(adapter) is functional.linear


@here
@pytest.mark.parametrize("entropy_gradient", [False, True])
def test_tiles_of_a_large_vocabulary(entropy_gradient):
    head = nn.Linear(64, 3000)
    hidden, targets = drawn(700, 64).requires_grad_(), torch.arange(700)
    inputs = [hidden, *head.parameters()]

    def both():
        found = tiled_stats(hidden, targets, head, temperature=0.7, entropy_gradient=entropy_gradient)
        whole = found[0].sum() + (found[1].sum() if entropy_gradient else 0)
        return *found, *torch.autograd.grad(whole, inputs)

    off = both()
    assert calls(both) == 0
    use_onednn(head)
    assert calls(both) >= 3
    for mine, theirs in zip(both(), off, strict=True):
        torch.testing.assert_close(mine, theirs, atol=2e-4, rtol=1e-5)


@here
@pytest.mark.parametrize("shared_prompts", [True, False])
@pytest.mark.parametrize("fused_layers", [True, False])
def test_a_whole_policy_with_and_without(shared_prompts, fused_layers, monkeypatch):
    monkeypatch.setattr(onednn, "LEAST", 0)
    policy = qwen3()
    ids = torch.randint(4, policy.vocabulary, (24, 30), generator=torch.Generator().manual_seed(0))
    mask = torch.ones(24, 20)

    def both():
        stats = policy.token_stats(ids[:, :10], torch.ones(24, 10).long(), ids[:, 10:], mask)
        policy.model.zero_grad()
        stats.logps.mean().backward()
        return stats.logps.detach(), {n: p.grad.clone() for n, p in policy.model.named_parameters()}

    found = []
    for on in (False, True):
        policy.compute_with(shared_prompts=shared_prompts, fused_layers=fused_layers, onednn=on)
        assert bool(calls(both)) is on
        found.append(both())
    (off, off_gradient), (on, on_gradient) = found
    torch.testing.assert_close(on, off, atol=2e-4, rtol=0)
    for name, gradient in off_gradient.items():
        torch.testing.assert_close(on_gradient[name], gradient, atol=1e-5, rtol=0, msg=name)


@here
def test_decoding_with_and_without(monkeypatch):
    monkeypatch.setattr(onednn, "LEAST", 0)
    found = []
    for on in (False, True):
        policy = qwen3()
        policy.compute_with(shared_prompts=True, fused_layers=True, onednn=on)
        engine = EmbeddedEngine(policy)
        prompts = [Prompt(id="0", text="3+4="), Prompt(id="1", text="12+7=")]
        sampled = []
        made = calls(lambda: sampled.append(engine.generate(prompts, 5, Sampling(max_tokens=6, seed=3))))  # noqa: B023
        assert (made > 6) is on
        found.append(sampled[0])
    off, on = found
    assert torch.equal(off.completion_ids, on.completion_ids)
    torch.testing.assert_close(on.sampling_logps, off.sampling_logps, atol=2e-4, rtol=0)
