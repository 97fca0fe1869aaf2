"""FlowRL's log Z: what it reads, and who learns from it."""

from __future__ import annotations

import math

import pytest
import torch

from crucible.algorithms.critics.partition_head import PartitionHead
from crucible.errors import UserError


def oracle(states, weights):
    """Two linear layers with GELU and LayerNorm between them, one number at a time."""
    (w1, b1), (gain, shift), (w2, b2) = weights
    inner = [sum(w * x for w, x in zip(row, states, strict=True)) + b for row, b in zip(w1, b1, strict=True)]
    inner = [0.5 * x * (1 + math.erf(x / math.sqrt(2))) for x in inner]
    centre = sum(inner) / len(inner)
    spread = math.sqrt(sum((x - centre) ** 2 for x in inner) / len(inner) + 1e-5)
    inner = [g * (x - centre) / spread + s for x, g, s in zip(inner, gain, shift, strict=True)]
    return sum(w * x for w, x in zip(w2[0], inner, strict=True)) + b2[0]


def test_value():
    critic = PartitionHead(layers=2)
    head = critic.build(4).double()
    torch.nn.init.normal_(head[-1].weight, generator=torch.Generator().manual_seed(1))
    states = torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    weights = [(part.weight.tolist(), part.bias.tolist()) for part in head if hasattr(part, "weight")]
    expected = [oracle(row, weights) for row in states.tolist()]
    assert critic.reader(head)(states).tolist() == pytest.approx(expected, rel=1e-12)


def test_it_starts_at_zero_and_is_the_same_everywhere_without_touching_the_global_draws():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one = PartitionHead().build(8)
    assert torch.equal(torch.rand(3), expected)
    other = PartitionHead().build(8)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert len(list(one.parameters())) == 10  # three linear layers and two norms
    assert PartitionHead().reader(one)(torch.randn(3, 8)).tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("through", "learns", "flows"), [(True, True, True), (False, True, False), (True, False, False)]
)
def test_the_trunk_learns_only_when_told(through, learns, flows):
    critic = PartitionHead(trunk_gradient=through, layers=1)
    head, states = critic.build(3), torch.randn(2, 3, requires_grad=True)
    torch.nn.init.ones_(head[-1].weight)
    critic.reader(head, learns_policy=learns)(states).sum().backward()
    assert (states.grad is not None) == flows
    assert head[-1].weight.grad is not None


@pytest.mark.parametrize("options", [{"learning_rate": 0.0}, {"layers": 0}])
def test_what_means_nothing_is_refused(options):
    with pytest.raises(UserError, match="critic: "):
        PartitionHead(**options)
