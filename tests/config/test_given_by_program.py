"""What the program supplies to its parts is no option of theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

from crucible.config.compose import compose
from crucible.errors import UserError

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["seed", "steps", "samples_every"])
@pytest.mark.parametrize("prefix", ["+", "++"])
def test_an_option_of_the_run_is_none_of_the_algorithm(name: str, prefix: str) -> None:
    with pytest.raises(UserError) as caught:
        compose([f"{prefix}algo.{name}=3"], ROOT)
    wanted = f"algo.{name} in conf/algo/ce_gppo: the program supplies {name}; set {name} and not algo.{name}"
    assert str(caught.value) == wanted


@pytest.mark.parametrize("override", ["algo.policy=3", "algo.loss.logps=3", "reward.task=3", "model.report=3"])
def test_a_part_of_the_run_is_no_option(override: str) -> None:
    path, _, name = override.partition("=")[0].rpartition(".")
    with pytest.raises(UserError, match=rf"^{path}\.{name} in conf/.*: the program supplies {name}$"):
        compose([f"++{override}"], ROOT)


def test_the_options_offered_are_those_that_can_be_set() -> None:
    with pytest.raises(UserError) as caught:
        compose(["++algo.xyzzy=3"], ROOT)
    offered = str(caught.value).partition("(options: ")[2].rstrip(")").split(", ")
    assert {"loss", "advantage", "old_logps"} <= set(offered)
    assert not {"seed", "steps", "samples_every", "policy", "task", "batch"} & set(offered)


@pytest.mark.parametrize("override", ["model.seed=3", "evaluation.seed=3", "reward.probability=0.3"])
def test_an_option_of_its_own_under_the_same_name_can_be_set(override: str) -> None:
    assert compose(["reward=random", override], ROOT).config


def test_the_placebo_takes_the_seed_of_the_run_alone() -> None:
    with pytest.raises(UserError, match=r"reward\.seed in conf/reward/random: the program supplies seed; set seed"):
        compose(["reward=random", "++reward.seed=3"], ROOT)
