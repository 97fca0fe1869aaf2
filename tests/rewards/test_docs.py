"""docs/rewards.md: every command composes and fits, and the table of nodes names what there is."""

from __future__ import annotations

import re
import shlex

import pytest

from crucible.config.catalogue import axes
from crucible.config.compose import compose
from tests.conftest import ROOT

TEXT = (ROOT / "docs" / "rewards.md").read_text()
COMMANDS = re.findall(r"^    python train\.py (.*)$", TEXT, flags=re.MULTILINE)
OPTIONS = [
    "product", "gated", "hybrid", "clip", "threshold", "normalised", "log_sigmoid", "route", "ensemble", "rubric",
    "pareto", "flipped", "trust", "maths", "code", "majority_vote", "rlpr", "verifree", "information_gain",
    "llm_judge", "llm_rubric", "template/verdict", "template/points", "template/criterion", "endpoint/openai",
    "schedule/linear", "schedule/cosine", "schedule/exponential",
]  # fmt: skip
HEADERS = [
    line.removeprefix("# python train.py ")
    for name in OPTIONS
    for line in (ROOT / "conf" / "reward" / f"{name}.yaml").read_text().splitlines()
    if line.startswith("# python train.py ")
]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_composes(command):
    assert compose(shlex.split(command), ROOT).config["reward"]["_target_"]


@pytest.mark.slow
@pytest.mark.parametrize("command", HEADERS)
def test_the_command_in_the_header_of_a_reward_composes(command):
    assert compose(shlex.split(command), ROOT).config["reward"]["_target_"]


def test_there_are_commands():
    assert len(COMMANDS) > 10
    assert len(HEADERS) == len(OPTIONS)


def test_every_reward_it_names_is_one():
    known = {option.name for option in axes(ROOT)["reward"]}
    table = TEXT.split("| `reward=` |")[1].split("\n\n")[0].splitlines()[2:]
    named = {name for row in table for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert len(named) >= 14
    assert named <= known
