"""What must hold for every loss in conf/algo/loss, whatever it computes."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest
import torch
from loss_cases import (
    CONF,
    LOSS_FILES,
    batch,
    built,
    function,
    needs_whole_groups,
    rows_of,
    tokens,
    totals,
    value_and_slope,
)

from crucible.algorithms import aggregation, losses
from crucible.algorithms.given import call, names
from crucible.config.needs import ATTRIBUTE

EVERY = pytest.mark.parametrize("name", LOSS_FILES)
REPORTED = {"clip_fraction", "preserved_left", "preserved_right", "dual_clip_fraction", "ratio_mean", "kl_old"}
TOKEN_TENSORS = [key for key, value in batch(0).items() if getattr(value, "dim", int)() == 2]


def aggregate_of(name):
    """The loss's own aggregation where it needs one, else the token mean."""
    wanted = getattr(function(built(name)), ATTRIBUTE, {}).get("aggregation", ["token_mean"])[0]
    return getattr(importlib.import_module(f"{aggregation.__name__}.{wanted}"), wanted)


@EVERY
@pytest.mark.parametrize("garbage", [-1e9, float("-inf"), float("nan")])
def test_what_is_stored_on_padding_does_not_matter(name, garbage):
    loss, given = built(name), batch(11)
    value, slope = value_and_slope(loss, given)
    real = given["mask"] > 0
    for key in TOKEN_TENSORS:
        if key not in ("mask", "advantages") and given[key].is_floating_point():
            given[key] = torch.where(real, given[key], garbage)
    dirty_value, dirty_slope = value_and_slope(loss, given)
    torch.testing.assert_close(dirty_value[real], value[real], rtol=0, atol=0)
    torch.testing.assert_close(dirty_slope, slope, rtol=0, atol=0)
    found = call(loss, given).diagnostics
    assert all(torch.all(tensor[~real] == 0) for tensor in found.values())


@EVERY
def test_padding_has_no_slope_even_where_it_is_summed(name):
    given = batch(11)
    leaf = given["logps"].clone().requires_grad_()
    call(built(name), given, logps=leaf).per_token.sum().backward()
    assert torch.all(leaf.grad[given["mask"] == 0] == 0)


@EVERY
def test_wider_padding_and_row_order_change_nothing(name):
    loss, given = built(name), batch(12)
    value, slope = value_and_slope(loss, given)
    order = torch.tensor([4, 0, 7, 5, 2, 6, 1, 3])
    other = rows_of(given, order)
    other |= {key: torch.nn.functional.pad(other[key], (0, 3)) for key in TOKEN_TENSORS}
    other_value, other_slope = value_and_slope(loss, other)
    real = given["mask"][order] > 0
    torch.testing.assert_close(other_value[:, :-3][real], value[order][real])
    torch.testing.assert_close(other_slope[:, :-3], slope[order])
    assert torch.all(other_slope[:, -3:] == 0)


@EVERY
def test_micro_batches_add_up(name):
    """Rows are cut anywhere, unless the loss names `group`: then between groups."""
    loss, given = built(name), batch(13)
    aggregate, of_step = aggregate_of(name), totals(given["mask"], 9)
    pieces = [[0, 1, 2], [3], [4, 5, 6, 7]] if needs_whole_groups(loss) else [[5], [0, 3, 4], [1, 7], [2, 6]]

    def scalar_and_slope(part):
        leaf = part["logps"].clone().requires_grad_()
        scalar = aggregate(call(loss, part, logps=leaf).per_token, part["mask"], of_step)
        scalar.backward()
        return scalar.detach(), leaf.grad

    scalar, slope = scalar_and_slope(given)
    parts = [scalar_and_slope(rows_of(given, torch.tensor(piece))) for piece in pieces]
    torch.testing.assert_close(sum(part for part, _ in parts), scalar)
    order = torch.tensor([row for piece in pieces for row in piece])
    torch.testing.assert_close(torch.cat([s for _, s in parts]), slope[order])


@EVERY
def test_a_row_without_tokens_is_as_if_it_were_not_there(name):
    loss, given = built(name), batch(14)
    given["mask"][5] = 0.0
    given["advantages"][5] = 0.0
    value, slope = value_and_slope(loss, given)
    rest = torch.tensor([0, 1, 2, 3, 4, 6, 7])
    expected_value, expected_slope = value_and_slope(loss, rows_of(given, rest))
    real = given["mask"][rest] > 0
    torch.testing.assert_close(value[rest][real], expected_value[real])
    torch.testing.assert_close(slope[rest], expected_slope)
    assert torch.all(slope[5] == 0)
    assert value[5].isfinite().all()


@EVERY
def test_a_batch_without_tokens_has_no_gradient(name):
    given = batch(15)
    given |= {"mask": given["mask"] * 0.0, "advantages": given["advantages"] * 0.0}
    value, slope = value_and_slope(built(name), given)
    assert torch.all(slope == 0)
    assert value.isfinite().all()


@EVERY
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_first_update_has_a_finite_gradient(name, dtype):
    """Old, reference and current policy are one: every spread is 0."""
    given = batch(16, spread=0.0, dtype=dtype)
    given["reference_logps"] = given["logps"]
    for rewards in (given["rewards"], torch.ones_like(given["rewards"])):
        value, slope = value_and_slope(built(name), given | {"rewards": rewards})
        assert value.isfinite().all()
        assert slope.isfinite().all()


@EVERY
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("sign", [-1.0, 0.0, 1.0])
def test_one_token_and_extreme_ratios_stay_finite(name, dtype, sign):
    given = tokens([-80.0, -20.0, 0.0, 20.0, 80.0], [sign], [-90.0], rewards=sign)
    given = {k: v.to(dtype) if getattr(v, "is_floating_point", bool)() else v for k, v in given.items()}
    value, slope = value_and_slope(built(name), given)
    found = call(built(name), given).diagnostics
    assert value.isfinite().all()
    assert slope.isfinite().all()
    assert all(tensor.isfinite().all() for tensor in found.values())
    assert value.dtype == slope.dtype == dtype
    assert all(tensor.dtype == dtype for tensor in found.values())


@EVERY
def test_single_and_double_precision_agree(name):
    given = batch(17)
    value, slope = value_and_slope(built(name), given)
    single = {k: v.float() if getattr(v, "dtype", None) == torch.float64 else v for k, v in given.items()}
    value32, slope32 = value_and_slope(built(name), single)
    torch.testing.assert_close(value32.double(), value, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(slope32.double(), slope, rtol=1e-4, atol=1e-5)


@EVERY
def test_only_the_log_probs_in_training_get_a_gradient(name):
    given = batch(18)
    leaves = {k: v.clone().requires_grad_() for k, v in given.items() if getattr(v, "dtype", None) == torch.float64}
    call(built(name), given | leaves, logps=leaves["logps"]).per_token.sum().backward()
    allowed = {"logps", "log_partition"}  # the policy's, and the head that learns through the loss
    allowed |= {"advantages", "rewards", "mask"}  # constants of the update
    assert leaves["logps"].grad is not None
    assert {key for key, leaf in leaves.items() if leaf.grad is not None} <= allowed


@EVERY
def test_diagnostics(name):
    given = batch(19)
    found = call(built(name), given).diagnostics
    assert found.keys() >= REPORTED
    assert all(x.shape == given["mask"].shape and not x.requires_grad for x in found.values())
    torch.testing.assert_close(found["clip_fraction"], found["preserved_left"] + found["preserved_right"])
    for side, sign in (("preserved_left", -1), ("preserved_right", 1)):
        assert torch.all(given["advantages"][found[side] > 0].sign() == sign)


@EVERY
def test_it_names_only_what_there_is(name):
    assert set(names(built(name))) <= batch(0).keys()
    assert names(built(name))[:4] == ("logps", "old_logps", "advantages", "mask")


@EVERY
def test_it_has_an_oracle_and_a_source(name):
    """In the test file of the YAML's function; YAMLs that only set other numbers share it."""
    target = function(built(name))
    tree = ast.parse((Path(__file__).parent / f"test_{target.__name__}.py").read_text())
    oracles = [item for item in tree.body if isinstance(item, ast.FunctionDef) and item.name == "oracle"]
    assert len(oracles) == 1
    assert target.__name__ not in {n.id for n in ast.walk(oracles[0]) if isinstance(n, ast.Name)}
    assert re.search(r"\d{4}\.\d{5}|Williams, 1992", target.__doc__)


def test_every_function_has_a_yaml():
    written = {path.stem for path in (CONF.parent / "src/crucible/algorithms/losses").glob("*.py")}
    assert written - {"__init__", "base"} == {function(built(name)).__name__ for name in LOSS_FILES}
    assert losses.__doc__
