"""Every file under conf/ and experiments/ fits the functions it names, and says what it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf

from crucible.config import help, rules
from crucible.config.annotations import kinds, plain
from crucible.config.catalogue import axes, recipes, settings, spelling, users
from crucible.config.check import ROOT as ROOT_TARGET
from crucible.config.check import check
from crucible.config.compose import Composed, compose
from crucible.config.signatures import passed_on, read
from crucible.errors import UserError
from crucible.sweeps.composition import open_composer

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "conf").rglob("*.yaml"))
AXES = axes(ROOT, "train")
SPELLING = {axis: spelling(ROOT, axis) for axis in AXES}
USERS = {axis: users(ROOT, axis) for axis in AXES}
OPTIONS = [(axis, option.name) for axis, options in AXES.items() for option in options]


def name_of(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def nodes(value: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every mapping with a _target_ in a raw YAML file."""
    if isinstance(value, dict):
        if "_target_" in value:
            yield path, value
        for key, item in value.items():
            yield from nodes(item, f"{path}.{key}".lstrip("."))


def composed(*overrides: str) -> Composed:
    """Unchecked; required values that a file leaves to the user (???) are filled with a text."""
    given = list(overrides)
    while True:
        try:
            return compose(given, ROOT, checked=False)
        except UserError as error:
            missing = re.match(r"(\S+) has no value", str(error))
            if not missing:
                raise
            given.append(f"{missing[1]}=given")


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_the_header_says_what_it_is_and_how_to_launch_it(file: Path) -> None:
    text = file.read_text()
    assert text.startswith("# "), "the first line is a comment that says what the file is"
    header = "\n".join(line for line in text.splitlines() if line.startswith("#"))
    assert re.search(r"python (train|sweep|analysis/\w+)\.py ", header), "the header has a launch line"


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_keys_are_parameters_and_parameters_are_keys(file: Path) -> None:
    """No key that its target lacks; no option of the target that neither YAML nor docstring mentions."""
    raw = yaml.safe_load(file.read_text()) or {}
    for path, node in nodes(raw):
        signature = read(node["_target_"])
        unknown = set(node) - set(signature.parameters) - {"_target_", "_partial_", "defaults"}
        assert not unknown, f"{path}: {signature.target} has no {unknown}"
        for name, parameter in signature.parameters.items():
            ours = name in read(ROOT_TARGET).parameters or name in passed_on(ROOT_TARGET)
            option = not parameter.required and not ours and plain(kinds(parameter.annotation, parameter.module))
            if option and name not in node:
                told = re.search(rf"\b{name}\b", signature.docstring) or re.search(rf"\b{name}\b", file.read_text())
                assert told, f"{path}: the option {name} of {signature.target} is nowhere explained"


def test_every_option_of_every_run_has_a_comment() -> None:
    """They are what --help prints."""
    bare = [s.path for s in settings(ROOT / "conf" / "train.yaml") if s.value and not s.comment]
    assert not bare


def parent(axis: str) -> list[str]:
    """The overrides that put a choice in place which chooses from the axis, and one that chooses from that one's."""
    known, above = USERS[axis], axis.rpartition("/")[0]
    return [*parent(above), f"{above}={'grpo' if 'grpo' in known else known[0]}"] if known else []


def overrides_for(axis: str, option: str) -> list[str]:
    return [*parent(axis), f"{SPELLING[axis]}={option}"]


def stands_alone(axis: str, option: str) -> bool:
    """Does the file name nothing beyond itself, so that it can be put into its place by hand?"""
    text = (ROOT / "conf" / axis / f"{option}.yaml").read_text()
    return SPELLING[axis] == axis and not re.search(r"^defaults:|@package|\$\{|\?\?\?", text, flags=re.MULTILINE)


@pytest.fixture(scope="module")
def by_hydra() -> dict[tuple[str, ...], Composed | UserError]:
    """What Hydra composes, by overrides; each file is read once for all. Required values may be missing in them."""
    wanted = {tuple(parent(axis)) for axis in AXES}
    wanted |= {tuple(overrides_for(axis, option)) for axis, option in OPTIONS if not stands_alone(axis, option)}
    found: dict[tuple[str, ...], Composed | UserError] = {}
    with open_composer(ROOT) as composer:
        for overrides in sorted(wanted):
            try:
                found[overrides] = composer.compose(overrides)
            except UserError as error:
                found[overrides] = error
    return found


def of_option(by_hydra: dict[tuple[str, ...], Composed | UserError], axis: str, option: str) -> Composed:
    """The config with an option chosen."""
    alone = stands_alone(axis, option)
    base = by_hydra[tuple(parent(axis) if alone else overrides_for(axis, option))]
    if isinstance(base, UserError):
        return composed(*overrides_for(axis, option))
    if not alone:
        return base
    *folders, last = axis.split("/")
    config: dict[str, Any] = dict(base.config)
    inside = config
    for folder in folders:
        inside[folder] = dict(inside[folder])
        inside = inside[folder]
    inside[last] = OmegaConf.to_container(OmegaConf.load(ROOT / "conf" / axis / f"{option}.yaml"))
    choices = {**base.origin.choices, ".".join([*folders, last]): f"{axis}/{option}"}
    return Composed(config, replace(base.origin, choices=choices))


@pytest.mark.slow
@pytest.mark.parametrize("axis", AXES)
def test_an_option_put_in_by_hand_is_what_hydra_composes(axis, by_hydra) -> None:
    option = max((o.name for o in AXES[axis]), key=lambda name: (stands_alone(axis, name), len(name)))
    made, real = of_option(by_hydra, axis, option), composed(*overrides_for(axis, option))
    assert made.config | {"experiment": ""} == real.config | {"experiment": ""}
    assert made.origin.choices == real.origin.choices


@pytest.mark.parametrize(("axis", "option"), OPTIONS, ids=lambda x: str(x))
def test_every_option_of_every_axis_composes_and_fits(axis: str, option: str, by_hydra) -> None:
    made = of_option(by_hydra, axis, option)
    check(made.config, made.origin)
    broken = list(rules.broken(made.config, made.origin))  # also: the words of every @needs exist
    if "/" not in axis:  # a part of an algorithm may need another one; a whole choice needs nothing more
        assert [line for line in broken if " needs reference " not in line] == []  # but a reward its kind of data


@pytest.mark.parametrize("recipe", [r.name for r in recipes(ROOT)])
def test_every_recipe_is_checked(recipe: str) -> None:
    made = composed(f"+experiments={recipe}")
    check(made.config, made.origin)
    rules.enforce(made.config, made.origin)


def test_help_lists_every_option_of_every_axis() -> None:
    lines = help.text(ROOT, ["--help"]).splitlines()
    for axis, option in OPTIONS:
        start = lines.index(f"  {SPELLING[axis]}=")
        block = lines[start + 1 : lines.index("", start)]
        assert any(line.split()[0] == option and len(line.split()) > 2 for line in block), (axis, option)


def test_every_top_level_option_is_a_parameter_of_run() -> None:
    config = composed().config
    assert set(config) - {"_target_"} <= set(read(ROOT_TARGET).parameters)


@pytest.mark.parametrize(
    "algo", ["sft", "dpo", "kto", "online_dpo", "rm_principle", "rm_bradley_terry", "rm_genrm", "grpo", "ppo"]
)
def test_the_stored_config_of_a_run_may_run_again(algo: str) -> None:
    """It says what each part is, not which file said so."""
    made = composed(f"algo={algo}")
    rules.enforce(made.config, made.origin)
    rules.enforce(made.config)
