"""Overrides -> a resolved, checked config: what train.py runs, for programs (sweeps, tests)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict

from crucible.config import hydra_errors
from crucible.config.catalogue import RECIPES, axes
from crucible.config.check import ROOT, Origin, check
from crucible.config.hydra_setup import set_up
from crucible.config.names import enforce_names
from crucible.config.rules import enforce
from crucible.errors import UserError


@dataclass(frozen=True)
class Composed:
    """A resolved config as plain values, and where its parts came from."""

    config: dict[str, Any]
    origin: Origin


def compose(
    overrides: Sequence[str], root: Path, *, name: str = "train", target: str = ROOT, checked: bool = True
) -> Composed:
    """The config of `python train.py <overrides>`. `root` is the folder that holds conf/.

    Another program has another primary config, conf/<name>.yaml, whose keys are the parameters of `target`.
    Raises UserError with one line for each problem.
    """
    refuse_nameless(overrides)
    set_up(root)
    before = HydraConfig.instance().cfg
    try:
        with initialize_config_dir(str(root / "conf"), version_base="1.3"):
            node = _hydras(name, list(overrides))
        HydraConfig.instance().set_config(node)
        with open_dict(node):
            hydra = node.pop("hydra")
        composed = resolved(node, hydra, root)
    except hydra_errors.CONFIG_ERRORS as error:
        raise UserError(explain(error, overrides, root, name=name, target=target)) from error
    finally:
        HydraConfig.instance().cfg = before
    if checked:
        verify(composed, target)
    return composed


def refuse_nameless(overrides: Sequence[str]) -> None:
    """Errors: UserError for "=3", which Hydra itself trips over."""
    for override in overrides:
        if not override.lstrip("+~").partition("=")[0].strip():
            raise UserError(f"cannot read the override {override!r}: options are written name=VALUE")


def _hydras(name: str, overrides: list[str]) -> DictConfig:
    try:
        return hydra_compose(name, overrides, return_hydra_config=True)
    except hydra_errors.CONFIG_ERRORS:
        raise
    except (ValueError, TypeError, AttributeError, KeyError, IndexError, AssertionError, RecursionError) as error:
        raise UserError(hydra_errors.tripped(overrides, error)) from error


def resolved(node: DictConfig, hydra: Any, root: Path) -> Composed:
    """Plain values with every interpolation resolved. `hydra` is Hydra's own part of the config."""
    config = OmegaConf.to_container(node, resolve=True, throw_on_missing=True)
    assert isinstance(config, dict)
    name = hydra.job.config_name
    choices = _choices(hydra.runtime.choices)
    recipe = choices.get(RECIPES, "")
    origin = Origin(
        root=f"conf/{name}" if (root / "conf" / f"{name}.yaml").is_file() else str(name),
        choices=choices,
        groups=frozenset(axes(root)),
        recipe_name=recipe,
        recipe=yaml.safe_load((root / f"{recipe}.yaml").read_text(encoding="utf-8")) or {} if recipe else {},
    )
    return Composed({str(key): value for key, value in config.items()}, origin)


def _choices(chosen: Mapping[str, object]) -> dict[str, str]:
    """Hydra's {"algo/loss": "ppo_clip", "reward@reward.parts.x": "exact"} by the path of the node."""
    found = {}
    for key, option in chosen.items():
        group, _, package = key.partition("@")
        if isinstance(option, str) and not group.startswith("hydra/"):
            found[package or group.replace("/", ".")] = f"{group}/{option}"
    return found


def verify(composed: Composed, target: str = ROOT) -> None:
    """Every option exists and fits; every rule holds."""
    check(composed.config, composed.origin, root=target)
    enforce(composed.config, composed.origin)
    enforce_names(composed.config, composed.origin)


def explain(
    error: BaseException, overrides: Sequence[str], root: Path, *, name: str = "train", target: str = ROOT
) -> str:
    """One line for a Hydra error. An unknown key is forced in, so that our own check can name its place."""
    key = hydra_errors.failed_key(error)
    if key is not None and "." in key and (again := hydra_errors.forced(overrides, key)) != list(overrides):
        try:
            compose(again, root, name=name, target=target)
        except UserError as better:
            return str(better)
    return hydra_errors.explain(error, root, name)
