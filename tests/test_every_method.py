"""Every algorithm, every piece of one and every entropy control trains; every pair composes or says why not."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import pytest
import yaml

from crucible.config.catalogue import axes, spelling
from crucible.config.check import problems
from crucible.config.compose import Composed, compose
from crucible.config.methods import pieces
from crucible.config.rules import broken
from crucible.errors import UserError
from crucible.rundir import read_metrics, read_status
from tests.conftest import ROOT
from tests.rewards.cases import ENDS

AXES = axes(ROOT)
KINDS = {"loss": "grpo", "supervised": "sft", "preference": "dpo"}  # what learns a policy, each with its plainest
PRESETS = [o.name for o in AXES["algo"] if KINDS.keys() & pieces(ROOT, o.name).keys()]
ENTROPY = [o.name for o in AXES["entropy"]]
# some methods are for rewards of 0 and 1, some want more than the four samples of a small run
WORLD = ["reward._target_=tests.small_world.HasDigits", "batch.samples_per_prompt=8"]
# a piece that lives off a reward of its own, and a policy that has something to earn by it
OWN_WORLD = {
    ("algo/auxiliary", "verifree"): ["reward=verifree", "reward._target_=crucible.rewards.verifree.VeriFree", ENDS],
}
PIECES = [(axis, o.name) for axis, options in AXES.items() if axis.startswith("algo/") for o in options]


def trained(path) -> None:
    """Two steps were made, every number is one, and the policy was moved."""
    updates = [row for row in read_metrics(path) if row["kind"] == "update"]
    assert read_status(path)["state"] == "finished"
    assert {row["step"] for row in updates} == {1, 2}
    wrong = {k: v for row in updates for k, v in row.items() if isinstance(v, float) and not math.isfinite(v)}
    assert not wrong
    assert any(row.get("policy/grad_norm", 0.0) > 0.0 for row in updates)


def ways(axis: str, option: str) -> Iterator[list[str]]:
    """Command lines with this piece: on top of GRPO or another plain one, or the presets that are made with it."""
    name = axis.rpartition("/")[2]
    yield [f"algo={KINDS.get(name, 'grpo')}", f"{spelling(ROOT, axis)}={option}"]
    yield from ([f"algo={p}"] for p in PRESETS if pieces(ROOT, p).get(name) == option)
    yield from ([f"algo={p}", f"{spelling(ROOT, axis)}={option}"] for p in PRESETS)
    yield ["algo=grpo", f"{spelling(ROOT, axis)}={option}", "algo.old_logps=recompute"]


def first_that_composes(axis: str, option: str) -> list[str]:
    refusals, own = [], OWN_WORLD.get((axis, option), [])
    for overrides in ways(axis, option):
        try:
            compose([*overrides, *own], ROOT)
        except UserError as error:
            refusals.append(str(error))
        else:
            return overrides
    pytest.fail(f"{axis}={option} goes with no algorithm: {refusals[0]}")


@pytest.mark.slow
@pytest.mark.parametrize("algo", PRESETS)
def test_every_algorithm_trains(small_run, algo):
    trained(small_run(f"algo={algo}", *WORLD))


@pytest.mark.slow
@pytest.mark.parametrize("entropy", ENTROPY)
def test_every_entropy_control_trains(small_run, entropy):
    trained(small_run("algo=grpo", f"entropy={entropy}", *WORLD))


@pytest.mark.slow
@pytest.mark.parametrize(("axis", "option"), PIECES)
def test_every_piece_of_an_algorithm_trains(small_run, axis, option):
    trained(small_run(*first_that_composes(axis, option), *OWN_WORLD.get((axis, option), WORLD)))


@pytest.fixture(scope="module")
def entropy_nodes() -> dict[str, dict]:
    return {option.name: yaml.safe_load(option.file.read_text()) for option in AXES["entropy"]}


@pytest.mark.slow
@pytest.mark.parametrize("algo", PRESETS)
def test_every_pair_of_algorithm_and_entropy_control_composes_or_is_refused_with_a_reason(algo, entropy_nodes):
    made = compose([f"algo={algo}"], ROOT)
    assert len(entropy_nodes) > 10
    for name, node in entropy_nodes.items():
        choices = {**made.origin.choices, "entropy": f"entropy/{name}"}
        pair = Composed({**made.config, "entropy": node}, replace(made.origin, choices=choices))
        assert list(problems(pair.config, pair.origin)) == []
        for refusal in broken(pair.config, pair.origin):
            assert "entropy" in refusal, "refused for a reason that has nothing to do with the pair"
            assert " needs " in refusal
            assert ": " in refusal, "a refusal says why"
