"""Hydra's and OmegaConf's errors as one line with the nearest name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import yaml
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import (
    InterpolationKeyError,
    InterpolationResolutionError,
    MissingMandatoryValue,
    OmegaConfBaseException,
)

from crucible.config.catalogue import RECIPES, axes, recipes, settings, spelling, users
from crucible.errors import nearest

CONFIG_ERRORS = (HydraException, OmegaConfBaseException, yaml.YAMLError, UnicodeDecodeError)


def explain(error: BaseException, root: Path, name: str) -> str:
    """One line: what is wrong, where, what would be right. `name`: the primary config, "train"."""
    if isinstance(error, MissingConfigException):
        return _missing_file(error, root, name)
    if isinstance(error, OverrideParseException):
        return _unreadable(str(error.override))
    if isinstance(error, yaml.YAMLError):
        return f"YAML syntax: {' '.join(str(error).split())}"
    if isinstance(error, UnicodeDecodeError):
        return f"a config file is not UTF-8 (byte 0x{error.object[error.start]:02x} at offset {error.start})"
    if isinstance(error, MissingMandatoryValue):
        return f"{_key(error)} has no value (???): give one, {_key(error)}=VALUE"
    if isinstance(error, InterpolationKeyError | InterpolationResolutionError):
        reason = re.sub(r'^\w+ raised while resolving interpolation: "?(.+?)"?$', r"\1", _first(error))
        return f"{_key(error)}: {reason[0].lower()}{reason[1:]}"
    first = _first(error)
    if match := re.match(r"Could not override '(.+?)'", first):
        return _unknown(match[1].partition("@")[0], root, name)
    if match := re.match(r"Could not append to config. An item is already at '(.+?)'", first):
        group = match[1].replace(".", "/")
        right = group if group in axes(root, name) else match[1]
        return f"+{match[1]}: this option exists already; write {right}=VALUE without the +"
    if match := re.match(r"primary config '(.+?)' must be a DictConfig", first):
        return f"{match[1]}.yaml: must be a mapping of options"
    if match := re.match(r"Multiple values for (\S+?)\. To override", first):
        return f"+{match[1]}: this axis has a choice already; write {match[1]}=OPTION without the +"
    if match := re.match(r"Error merging override (\+?)([^=\s]+)=?", first):
        recipe = f" (a recipe is +{RECIPES}=NAME)" if match[2] in RECIPES else ""
        what = "this option exists already; write it without the +" if match[1] else "it cannot be set to this"
        return f"{match[1]}{match[2]}: {what}{recipe}"
    if match := re.match(r"Could not delete from config. '(.+?)' does not exist", first):
        return f"~{match[1]}: {_unknown(match[1], root, name)}"
    if match := re.match(r"Ambiguous value for argument '(.+?)'", first):
        return f"{match[1]} gives several values: add -m to run each of them, or write [a,b] for a list"
    return first


def failed_key(error: BaseException) -> str | None:
    """The key Hydra would not override, e.g. "algo.loss.clp"."""
    match = re.match(r"Could not override '([^'/@]+)'", str(error))
    return match[1] if match else None


def forced(overrides: Sequence[str], key: str) -> list[str]:
    """The overrides with `key=value` turned into `++key=value`, which Hydra takes for any key."""
    return [f"++{o}" if o.startswith(f"{key}=") else o for o in overrides]


def tripped(overrides: Sequence[str], error: BaseException) -> str:
    """Some values make Hydra fail in its own code: algo=1, algo=[1,2]. The choices of an axis are names."""
    shown = " ".join(o if o.isprintable() else repr(o) for o in overrides)
    return f"cannot make a config of {shown}: an axis takes the name of an option ({type(error).__name__} in Hydra)"


_NAME = re.compile(r"[+~]*[A-Za-z_][A-Za-z0-9_./@:$-]*")


def _unreadable(override: str) -> str:
    """An override that is not NAME=VALUE in Hydra's grammar."""
    name, equals, _ = override.partition("=")
    if not equals:
        return f"cannot read {override!r}: options are written {name if _NAME.fullmatch(name) else 'name'}=VALUE"
    shown = override if override.isprintable() else repr(override)
    if not _NAME.fullmatch(name):
        return f"cannot read the override {shown}: {name!r} is no name of an option"
    return f"cannot read the override {shown}: its brackets or quotes do not match, or its value needs quotes"


def _missing_file(error: MissingConfigException, root: Path, primary: str) -> str:
    missing, known = error.missing_cfg_file or "", axes(root, primary)
    if missing.startswith(f"{RECIPES}/"):
        axis, name = f"+{RECIPES}", missing.removeprefix(f"{RECIPES}/")
        options = [o.name for o in recipes(root)]
    else:
        axis, _, name = missing.rpartition("/")
        options = [o.name for o in known.get(axis, [])]
    if not axis:
        return f'there is no config "{name}"; --config-dir must name a folder with {name}.yaml'
    if not options:
        return f'there is no axis "{axis}"{nearest(axis, known)}; axes: {", ".join(known)}'
    return f'{axis} has no option "{name}"{nearest(name, options)}; there are: {", ".join(options)}'


def _unknown(key: str, root: Path, name: str) -> str:
    if key == RECIPES and (found := recipes(root)):
        return f"{key}: a recipe is chosen with a plus, +{RECIPES}=NAME; there are: {', '.join(o.name for o in found)}"
    known = axes(root, name)
    names = [*known, *(s.path for s in settings(root / "conf" / f"{name}.yaml"))]
    if key in known:
        parent = key.rpartition("/")[0]
        right = spelling(root, key)
        return f"{key}: write {right}=OPTION, together with {parent}={' or '.join(users(root, key))}"
    hint = nearest(key, names)
    return f"unknown option {key}{hint}" if hint else f"unknown option {key}; axes: {', '.join(known)}"


def _key(error: OmegaConfBaseException) -> str:
    return str(error.full_key or error.key or "an option")


def _first(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
