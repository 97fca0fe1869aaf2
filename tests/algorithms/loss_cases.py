"""Losses as their YAML files describe them, inputs by name, and the comparisons that their tests share.

An oracle gives, in plain Python floats, the value of the per-token loss and its derivative with respect to the
token's log-prob ("slope", -F * A of a policy gradient). It never calls the code under test.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from torch import Tensor

from crucible.algorithms.given import call, names
from crucible.parts import Parts
from crucible.types import PolicyLoss, Totals

CONF = Path(__file__).parents[2] / "conf"
LOSS_FILES = {path.stem: path for path in sorted((CONF / "algo/loss").glob("*.yaml"))}
EXACT = 1e-10
Given = dict[str, Any]


@functools.cache
def node(name: str) -> dict[str, Any]:
    return OmegaConf.to_container(OmegaConf.load(LOSS_FILES[name]))


def built(name: str, **hyper: Any) -> Callable[..., PolicyLoss]:
    """The loss of conf/algo/loss/<name>.yaml, with other hyper-parameters where given."""
    return Parts({}).build({**node(name), **hyper})


def function(loss: Callable[..., PolicyLoss]) -> Callable[..., PolicyLoss]:
    while isinstance(loss, partial):
        loss = loss.func
    return loss


def batch(
    seed: int,
    *,
    groups: Sequence[int] = (3, 1, 4),
    width: int = 6,
    spread: float = 0.4,
    empty: Sequence[int] = (),
    by_token: bool = False,
    dtype: torch.dtype = torch.float64,
) -> Given:
    """Every name of the update stage: ragged rows, ratios on both sides of a band; rows in `empty` have no token.

    Advantages are one random number per row, per token with `by_token`.
    """
    draw = torch.Generator().manual_seed(seed)
    rows = sum(groups)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=draw, dtype=torch.float64)

    old = -2.0 * torch.rand(rows, width, generator=draw, dtype=torch.float64) - 0.05
    lengths = torch.randint(1, width + 1, (rows,), generator=draw)
    lengths[list(empty)] = 0
    mask = (torch.arange(width) < lengths.unsqueeze(-1)).double()
    advantages = normal(rows, width) if by_token else normal(rows, 1).expand(rows, width)
    rewards = normal(rows)

    def near(spread: float) -> Tensor:
        return (old + spread * normal(rows, width)).clamp(max=-0.01)  # log-probs are negative

    found: Given = {
        "old_logps": old,
        "logps": near(spread),
        "sampling_logps": near(0.1),
        "reference_logps": near(spread),
        "advantages": advantages * mask,
        "mask": mask,
        "entropy": normal(rows, width).abs(),
        "old_entropy": normal(rows, width).abs(),
        "uniform": -3.0 + normal(rows, width),
        "old_uniform": -3.0 + normal(rows, width),
        "values": normal(rows, width),
        "returns": normal(rows, width),
        "token_scores": normal(rows, width),
        "rewards": rewards,
        "success": (rewards > 0).double(),
        "log_partition": normal(rows),
    }
    return {name: tensor.to(dtype) for name, tensor in found.items()} | {
        "group": torch.repeat_interleave(torch.randperm(len(groups), generator=draw) + 2, torch.tensor(groups)),
        "valid": torch.ones(rows, dtype=torch.bool),
        "truncated": torch.zeros(rows, dtype=torch.bool),
        "completion_ids": torch.randint(0, 9, (rows, width), generator=draw),
        "staleness": torch.zeros(rows, dtype=torch.int64),
        "updates_done": 5,
        "progress": 0.5,
    }


def rows_of(given: Mapping[str, Any], index: Tensor) -> Given:
    """The rows in `index` of everything."""
    return {name: value[index] if isinstance(value, Tensor) else value for name, value in given.items()}


def value_and_slope(loss: Callable[..., PolicyLoss], given: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
    """The per-token loss and the derivative of its masked sum with respect to each log-prob."""
    leaf = given["logps"].detach().clone().requires_grad_()
    per_token = call(loss, given, logps=leaf).per_token
    torch.where(given["mask"] > 0, per_token, 0.0).sum().backward()
    assert leaf.grad is not None
    return per_token.detach(), leaf.grad


def tokens(
    log_deltas: Sequence[float], advantages: Sequence[float], old_logps: Sequence[float], **more: float
) -> Given:
    """One row of one token for every combination; `more` are values by name for all of them, e.g. rewards=1.0."""
    combined = [(o, d, a) for o in old_logps for d in log_deltas for a in advantages]
    old, delta, advantage = (torch.tensor(x, dtype=torch.float64).unsqueeze(-1) for x in zip(*combined, strict=True))
    given = batch(0, groups=[1] * len(old), width=1)
    given |= {"old_logps": old, "logps": old + delta, "advantages": advantage, "mask": torch.ones_like(old)}
    return given | {name: torch.full_like(given[name], value) for name, value in more.items()}


TokenOracle = Callable[..., tuple[float, float]]
RATIOS = (0.05, 0.5, 0.7999999, 0.8000001, 0.9, 1.0, 1.1, 1.1999999, 1.2000001, 1.25, 1.5, 4.0, 9.0, 11.0, 300.0)
ADVANTAGES = (-2.5, -1.0, 0.0, 0.3, 1.0)


def assert_tokens(
    loss: Callable[..., PolicyLoss],
    oracle: TokenOracle,
    *,
    ratios: Sequence[float] = RATIOS,
    old_logps: Sequence[float] = (-0.1, -4.0),
    **hyper: Any,
) -> None:
    """Each token is `oracle(log_delta, a, logp, **hyper) -> (value, slope)`, in every region and at random."""
    loss = partial(loss, **hyper)
    grid = tokens([math.log(ratio) for ratio in ratios], ADVANTAGES, old_logps)
    for given in (grid, batch(1, spread=0.2, by_token=True), batch(2, spread=1.0, empty=[4])):
        value, slope = value_and_slope(loss, given)
        assert torch.all(slope[given["mask"] == 0] == 0)
        for n, t in given["mask"].nonzero().tolist():
            logp, old, a = (float(given[name][n, t]) for name in ("logps", "old_logps", "advantages"))
            expected = oracle(logp - old, a, logp, **hyper)
            assert (float(value[n, t]), float(slope[n, t])) == pytest.approx(expected, rel=EXACT, abs=EXACT)


Row = dict[str, Any]
RowsOracle = Callable[..., Sequence[tuple[Sequence[float], Sequence[float]]]]


def plain_rows(given: Mapping[str, Any]) -> list[Row]:
    """The batch as Python numbers: one dict a row, without its padding."""
    found = []
    for n, length in enumerate(given["mask"].sum(-1).long().tolist()):
        row = {}
        for name, value in given.items():
            if isinstance(value, Tensor):
                row[name] = value[n, :length].tolist() if value.dim() == 2 else value[n].item()
            else:
                row[name] = value
        found.append(row)
    return found


def assert_rows(loss: Callable[..., PolicyLoss], oracle: RowsOracle, given: Mapping[str, Any], **hyper: Any) -> None:
    """A loss equals `oracle(rows, **hyper)`, which gives (values, slopes) of the tokens of each row."""
    value, slope = value_and_slope(partial(loss, **hyper), given)
    expected = oracle(plain_rows(given), **hyper)
    assert len(expected) == len(value)
    for n, (values, slopes) in enumerate(expected):
        length = int(given["mask"][n].sum())
        assert len(values) == len(slopes) == length
        assert value[n, :length].tolist() == pytest.approx(list(values), rel=EXACT, abs=EXACT)
        assert slope[n, :length].tolist() == pytest.approx(list(slopes), rel=EXACT, abs=EXACT)
        assert torch.all(slope[n, length:] == 0)


def ragged(**how: Any) -> list[Given]:
    """Random batches for row losses, with a row without tokens in a group of others."""
    return [batch(seed, spread=0.25, empty=[1] if seed % 2 else [], **how) for seed in range(6)]


def slope_at(loss: Callable[..., PolicyLoss], log_delta: float, advantage: float) -> tuple[float, float]:
    """(ratio, coefficient F) of one token whose old log-prob is 0, so that the log-ratio is exactly `log_delta`."""
    given = tokens([log_delta], [advantage], [0.0])
    _, slope = value_and_slope(loss, given)
    return float(given["logps"].exp()), float(slope) / -advantage


def assert_policy_gradient_on_policy(loss: Callable[..., PolicyLoss], **more: Any) -> None:
    """With delta = 1 everywhere the slope is -A: the loss starts as the policy gradient."""
    given = batch(3, spread=0.0) | more
    given["reference_logps"] = given["logps"]
    _, slope = value_and_slope(loss, given)
    torch.testing.assert_close(slope, -given["advantages"] * given["mask"], rtol=1e-12, atol=0)


# The catalogue's fixture F1: pi_old = 1/2, A = +1 on row 0 and -1 on row 1
F1 = batch(0, groups=[1, 1], width=3) | {
    "mask": torch.tensor([[1.0, 1.0, 1.0], [1.0, 1.0, 0.0]], dtype=torch.float64),
    "old_logps": torch.full((2, 3), math.log(0.5), dtype=torch.float64),
    "logps": torch.tensor([[0.75, 0.5, 0.25], [0.75, 0.25, 0.9]], dtype=torch.float64).log(),
    "advantages": torch.tensor([[1.0, 1.0, 1.0], [-1.0, -1.0, 0.0]], dtype=torch.float64),
    "rewards": torch.tensor([1.0, -1.0], dtype=torch.float64),
}


def assert_f1(
    loss: Callable[..., PolicyLoss], values: Sequence[float], slopes: Sequence[float], token_mean: float
) -> None:
    """Per-token values, slopes (row 0 then row 1) and the token mean, to the six digits they are written with."""
    value, slope = value_and_slope(loss, F1)
    real = F1["mask"] > 0
    assert value[real].tolist() == pytest.approx(list(values), abs=1e-6)
    assert slope[real].tolist() == pytest.approx(list(slopes), abs=1e-6)
    assert float(value[real].mean()) == pytest.approx(token_mean, abs=1e-6)
    assert float(slope[1, 2]) == 0.0


def assert_f1_rows(
    loss: Callable[..., PolicyLoss], rows: Sequence[float], mean: float, slopes: Sequence[Sequence[float]]
) -> None:
    """Row losses, their mean, and the derivative of that mean with respect to each log-prob."""
    given, leaf = F1, F1["logps"].clone().requires_grad_()
    per_token = call(loss, given, logps=leaf).per_token
    row_losses = (per_token * given["mask"]).sum(-1) / given["mask"].sum(-1)
    row_losses.mean().backward()
    assert row_losses.tolist() == pytest.approx(list(rows), abs=1e-6)
    assert float(row_losses.detach().mean()) == pytest.approx(mean, abs=1e-6)
    assert leaf.grad is not None
    for n, expected in enumerate(slopes):
        assert leaf.grad[n].tolist() == pytest.approx(list(expected), abs=1e-6)


def needs_whole_groups(loss: Callable[..., PolicyLoss]) -> bool:
    return "group" in names(loss)


def totals(mask: Tensor, max_completion_tokens: int) -> Totals:
    """The denominators of a whole step, from its full mask."""
    return Totals(float(mask.sum()), float(len(mask)), max_completion_tokens)
