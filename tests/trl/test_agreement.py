"""The same rollouts through TRL's GRPOTrainer and through our objective: the same loss, the same gradients."""

from __future__ import annotations

import importlib.util

import pytest
import torch

from crucible.trl.plan import TOKEN_MEANS
from crucible.trl.refuse import KNOWN
from tests.conftest import ROOT
from tests.trl.world import World, apart

pytestmark = pytest.mark.skipif(importlib.util.find_spec("trl") is None, reason=f"needs TRL {KNOWN}")

CLOSE = 1e-5  # of gradients, relative; losses are means of terms of size 1 that nearly cancel: FLOOR absolute
FLOOR = 1e-6
VESPO = 20.0  # times that: its weight is exponential in the ratio of a whole row, and so is its rounding
WIDE = ("algo.loss.eps_low=0.03", "algo.loss.eps_high=0.04")  # of GSPO, so that some rows are clipped and some are not
ALGORITHMS = {  # overrides, the loss type and the advantages that TRL is to compute itself
    "grpo": (("algo=grpo", "algo.advantage.eps=1e-4"), "dapo", "group"),
    "grpo as it is": (("algo=grpo",), "dapo", None),
    "grpo of the paper": (("algo=grpo", "algo/aggregation=seq_mean_token_mean"), "grpo", None),
    "dapo": (("algo=dapo", "algo/filter=keep_all", "algo.advantage.eps=1e-4"), "dapo", "group"),
    "dr_grpo": (("algo=dr_grpo",), "dr_grpo", "none"),
    "cispo": (("algo=cispo", "algo.loss.eps_low=null", "algo.advantage.eps=1e-4"), "cispo", "group"),
    "gspo": (("algo=gspo", *WIDE, "algo.advantage.eps=1e-4"), "grpo", "group"),
    "luspo": (("algo=luspo", *WIDE), "luspo", None),
    "sapo": (("algo=sapo_soft_gate",), "sapo", None),
    "vespo": (("algo=vespo",), "vespo", None),
    "two-sided": (("algo=two_sided_clip", "algo.loss.dual_clip=1.3"), "dapo", None),
}
FAST = ("grpo", "dapo", "dr_grpo", "cispo", "gspo")
EVERY = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in FAST else pytest.mark.slow) for name in ALGORITHMS]
)


@EVERY
@pytest.mark.parametrize("rows_per_pass", [None, 4], ids=["one pass", "four passes"])
def test_the_same_loss_and_gradients(name, rows_per_pass, tmp_path):
    overrides, loss_type, scale = ALGORITHMS[name]
    world = World(*overrides, rows_per_pass=rows_per_pass)
    assert world.plan.loss is not None
    assert (world.plan.loss["loss_type"], world.plan.scale_rewards) == (loss_type, scale)
    metrics, ours = world.ours()
    ((rows, loss, theirs),) = world.theirs(tmp_path)
    assert sorted(rows.tolist()) == list(range(16))
    assert 0.0 < metrics["policy/clip_fraction"] < 1.0  # some tokens are clipped, some are not
    assert abs(metrics["policy/loss"]) > 1e-3
    assert loss == pytest.approx(metrics["policy/loss"], rel=CLOSE, abs=FLOOR)
    assert apart(theirs, ours) < CLOSE


@EVERY
def test_of_several_updates_only_trls_denominator_differs(name, tmp_path):
    """Its token means divide by the mean over the updates of a step; its row means by the rows of the update."""
    overrides, loss_type, _ = ALGORITHMS[name]
    world = World(*overrides, updates=2, rows_per_pass=4)
    mask = world.experience.rollouts.mask
    seen = []
    for rows, loss, theirs in world.theirs(tmp_path):
        metrics, ours = world.ours(rows)
        factor = float(mask[rows].sum() / (mask.sum() / 2)) if loss_type in TOKEN_MEANS else 1.0
        wide = VESPO if loss_type == "vespo" else 1.0
        assert loss == pytest.approx(metrics["policy/loss"] * factor, rel=wide * CLOSE, abs=wide * FLOOR)
        assert apart(theirs, {key: grad * factor for key, grad in ours.items()}) < wide * CLOSE
        seen.append((sorted(rows.tolist()), factor))
    (first, one), (second, other) = seen
    assert sorted([*first, *second]) == list(range(16))
    if loss_type in TOKEN_MEANS:
        assert one != other
        assert one + other == pytest.approx(2.0)


PLUGGED = {
    "ce_gppo": ("algo=ce_gppo", "algo/filter=keep_all"),
    "a filter": ("algo=dapo", "algo.filter.by=success"),
    "a floor": ("algo=cispo",),
    "an entropy bonus": ("algo=grpo", "entropy=bonus"),
    "whole groups": ("algo=gvpo",),
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name == "ce_gppo" else pytest.mark.slow) for name in PLUGGED]
)
def test_crucibles_objective_in_trls_loop_is_crucibles_objective(name, tmp_path):
    world = World(*PLUGGED[name])
    assert world.plan.loss is None
    assert world.plan.why_loss
    rows = torch.cat(world.experience.updates)
    metrics, ours = world.ours(rows)
    world.module.objective = world.objective_of(60)  # several pieces, of which TRL goes back through the last
    ((_, loss, theirs),) = world.theirs(tmp_path)
    terms = ("policy/loss", "policy/entropy_term", "kl/loss")
    assert loss == pytest.approx(sum(metrics.get(term, 0.0) for term in terms), rel=CLOSE, abs=FLOOR)
    assert apart(theirs, ours) < CLOSE


def test_a_row_without_a_reward_moves_nothing_on_either_side_and_counts_in_trls_denominator(tmp_path):
    world = World("algo=dr_grpo", without_reward=5)
    kept = torch.cat(world.experience.updates)
    assert sorted(kept.tolist()) == [i for i in range(16) if i != 5]
    metrics, ours = world.ours(kept)
    ((_, loss, theirs),) = world.theirs(tmp_path)
    assert loss == pytest.approx(metrics["policy/loss"] * 15 / 16, rel=CLOSE, abs=FLOOR)
    assert apart(theirs, {key: grad * 15 / 16 for key, grad in ours.items()}) < CLOSE


def test_the_page_has_a_line_for_each():
    page = (ROOT / "docs" / "trl.md").read_text()
    table = page[page.index("## Agreement") :]
    for name in ALGORITHMS:
        assert f"| {name.replace('sapo', 'sapo_soft_gate').replace('two-sided', 'two_sided_clip')}" in table
