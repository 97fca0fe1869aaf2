"""A sweep file: sweeps/<paper>/<table>.yaml, read and checked as data.

base: [reward=exact, steps=200]                 # Hydra overrides of every point
grid: [algo=grpo, "algo=ce_gppo"] or a mapping of named grids, whose points are joined
seeds: 1,2,3                                    # required; Hydra's grammar, so range(1,6) too
exclude: ["algo.loss.beta1 > algo.loss.beta2"]  # points left out (crucible.sweeps.conditions)
resources: {gpus: 1, hours: 4}                  # of each run (crucible.sweeps.resources)
points: [{when: "model == 'qwen_7b'", resources: {gpus: 8}}]
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from crucible.config.dry_run import experiment_folder
from crucible.errors import UserError, nearest
from crucible.rundir.atomic import explained

KEYS = ("experiment", "base", "grid", "seeds", "exclude", "resources", "points")


@dataclass(frozen=True)
class PointRule:
    """Resources for the points where `when` holds; later rules win."""

    when: str
    resources: Mapping[str, Any]


@dataclass(frozen=True)
class SweepDefinition:
    name: str  # "<paper>/<table>"
    experiment: str  # folder of new runs: runs/<experiment>/<run_id>
    base: tuple[str, ...]
    grids: Mapping[str, tuple[str, ...]]  # by name; "" when there is only one
    seeds: str  # the right-hand side of a Hydra override
    exclude: tuple[str, ...] = ()
    resources: Mapping[str, Any] = field(default_factory=dict)
    points: tuple[PointRule, ...] = ()


def load(name: str, folder: Path, extra: Iterable[str] = ()) -> SweepDefinition:
    """Read sweep `name` from `folder`. `extra` overrides are added to its base.

    Raises UserError for an unknown sweep or key, a missing seed list and an empty grid.
    """
    path = folder / f"{name}.yaml"
    if not path.is_file():
        known = sorted(str(p.relative_to(folder).with_suffix("")) for p in folder.rglob("*.yaml") if p.is_file())
        hint = nearest(name, known) or (f" (there are: {', '.join(known)})" if known else "")
        raise UserError(f"sweep={name}: no file {path}{hint}")
    try:
        with explained("cannot read", path):
            raw = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise UserError(f"{path}: not UTF-8 (byte 0x{byte:02x} at offset {error.start})") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(raw, dict):
        raise UserError(f"{path}: must be a mapping with the keys {', '.join(KEYS)}")
    for key in raw:
        if key not in KEYS:
            raise UserError(f"{path}: unknown key {key!r}{nearest(str(key), KEYS)}; known: {', '.join(KEYS)}")
    return SweepDefinition(
        name=name,
        experiment=_experiment(raw, name, path),
        base=(*_strings(raw.get("base"), path, "base"), *extra),
        grids=_grids(raw.get("grid"), path),
        seeds=_seeds(raw.get("seeds"), path),
        exclude=_strings(raw.get("exclude"), path, "exclude"),
        resources=_mapping(raw.get("resources"), path, "resources"),
        points=tuple(_rule(item, path) for item in raw.get("points") or ()),
    )


def _experiment(raw: Mapping[str, Any], name: str, path: Path) -> str:
    """The folder of new runs, as it was written; it must be one that a run would take too."""
    chosen = raw.get("experiment")
    if chosen is None:
        return name.replace("/", "-").replace("..", "-")
    try:
        experiment_folder(str(chosen))
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    return str(chosen)


def _grids(value: Any, path: Path) -> dict[str, tuple[str, ...]]:
    named = value if isinstance(value, dict) else {"": value}
    grids = {str(name): _strings(items, path, f"grid {name}".strip()) for name, items in named.items()}
    for name, items in grids.items():
        if not items:
            raise UserError(
                f"{path}: {f'grid {name}'.strip()} is empty; name overrides, e.g. grid: [algo=grpo,ce_gppo]"
            )
    if not grids:
        raise UserError(f"{path}: grid is empty; name overrides, e.g. grid: [algo=grpo,ce_gppo]")
    return grids


def _seeds(value: Any, path: Path) -> str:
    if isinstance(value, list):
        value = ",".join(str(item) for item in value)
    if value is None or str(value).strip() == "":
        raise UserError(f"{path}: seeds are missing; a table without repeats has no error bars: seeds: 1,2,3")
    return str(value)


def _strings(value: Any, path: Path, what: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise UserError(f"{path}: {what} must be a list of strings, got {value!r}")
    return tuple(value)


def _mapping(value: Any, path: Path, what: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UserError(f"{path}: {what} must be a mapping, got {value!r}")
    return value


def _rule(item: Any, path: Path) -> PointRule:
    if not isinstance(item, dict) or set(item) != {"when", "resources"}:
        raise UserError(f"{path}: each entry of points is {{when: CONDITION, resources: {{...}}}}, got {item!r}")
    return PointRule(str(item["when"]), _mapping(item["resources"], path, "points: resources"))
