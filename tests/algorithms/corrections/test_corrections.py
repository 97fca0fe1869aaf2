"""What all corrections have in common."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from crucible.algorithms.corrections.mis import mis
from crucible.algorithms.corrections.opsm import opsm
from crucible.algorithms.corrections.rejection import rejection
from crucible.algorithms.corrections.tis import tis
from crucible.algorithms.given import Given, call, names

METHODS = [
    tis,
    partial(tis, level="sequence"),
    partial(tis, level="geometric"),
    mis,
    partial(mis, low=0.5, high=5.0, level="sequence"),
    partial(rejection, by="token", estimator="k2"),
    partial(rejection, by="seq_sum"),
    partial(rejection, by="seq_max"),
    partial(rejection, estimator="k1", high=1.5),
    opsm,
]


def label(method):
    """The same in every process, unlike the text of a function."""
    options = getattr(method, "keywords", {})
    return "-".join([getattr(method, "func", method).__name__, *(f"{k}={v}" for k, v in options.items())])


def world(seed=0, rows=6, tokens=5):
    g = torch.Generator().manual_seed(seed)
    mask = (torch.arange(tokens) < torch.tensor([5, 3, 1, 4, 2, 0])[:rows, None]).double()
    made = {
        name: -torch.rand(rows, tokens, generator=g, dtype=torch.float64)
        for name in ("logps", "old_logps", "sampling_logps")
    }
    return made | {"advantages": torch.randn(rows, 1, generator=g, dtype=torch.float64) * mask, "mask": mask}


@pytest.mark.parametrize("method", METHODS, ids=label)
def test_detached_zero_on_padding_and_bounded_for_any_ratio(method):
    given = world()
    given["logps"].requires_grad_()
    given["old_logps"] = given["old_logps"].clone().requires_grad_()
    found = call(method, Given(given))
    assert not found.weights.requires_grad
    assert (found.weights[given["mask"] == 0] == 0).all()
    assert all(value.shape == given["mask"].shape for value in found.diagnostics.values())
    far = given | {"sampling_logps": given["sampling_logps"] - 1000.0, "old_logps": given["old_logps"].detach()}
    assert call(method, Given(far)).weights.isfinite().all()


@pytest.mark.parametrize("method", METHODS, ids=label)
def test_rows_alone_in_another_order_and_with_garbage_in_the_padding(method):
    given = world()
    whole = call(method, Given(given)).weights
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    shuffled = call(method, Given({name: value[order] for name, value in given.items()})).weights
    torch.testing.assert_close(shuffled, whole[order])
    for i in range(len(whole)):
        alone = call(method, Given({name: value[i : i + 1] for name, value in given.items()})).weights
        torch.testing.assert_close(alone[0], whole[i])
    noise = {n: torch.where(given["mask"] > 0, v, 77.0) for n, v in given.items() if n.endswith("logps")}
    torch.testing.assert_close(call(method, Given(given | noise)).weights, whole)


@pytest.mark.parametrize("method", METHODS, ids=label)
def test_where_the_policies_agree_every_weight_is_one(method):
    given = world()
    same = given | {name: given["sampling_logps"] for name in names(method) if name.endswith("logps")}
    torch.testing.assert_close(call(method, Given(same)).weights, given["mask"])
