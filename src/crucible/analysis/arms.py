"""The arms of a study as data: analysis/arms/<paper>.yaml says which runs are GRPO, which CE-GPPO 0.5/1.

grpo:
  label: GRPO
  where: {algo.loss: ppo_clip, algo.loss.eps_high: 0.2, entropy: NoControl, reward: Exact}

A name in `where` is a column of `runs_frame`: an option of the config, or a part by the last name of its
`_target_`. A list allows any of its values. A run belongs to at most one arm; an arm has one run a seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from crucible.analysis.frame import with_choices
from crucible.analysis.runs import Run
from crucible.errors import UserError, nearest

KEYS = ("label", "where", "note")


@dataclass(frozen=True, slots=True)
class Arm:
    """Runs that differ only in their seed. `place` is the arm's number in its file: its colour and dash."""

    key: str
    label: str
    where: Mapping[str, Any]
    place: int
    note: str = ""
    runs: tuple[Run, ...] = field(default=(), compare=False)

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(int(run.seed) for run in self.runs)


def read_arms(path: Path) -> dict[str, Arm]:
    """The arms of a file, without runs. Errors: UserError for what is no such file."""
    raw = read_yaml(path, "arms", path.parent)
    arms = {}
    for place, (key, value) in enumerate(raw.items()):
        if not isinstance(value, dict) or not isinstance(value.get("where"), dict):
            raise UserError(f"{path}: arm {key} must be {{label: TEXT, where: {{name: value}}}}")
        unknown = [k for k in value if k not in KEYS]
        if unknown:
            raise UserError(f"{path}: arm {key}: unknown key {unknown[0]!r}{nearest(unknown[0], KEYS)}")
        label = str(value.get("label", key))
        arms[str(key)] = Arm(str(key), label, value["where"], place, str(value.get("note", "")))
    return arms


def read_yaml(path: Path, what: str, root: Path) -> dict[str, Any]:
    """The YAML mapping in `path`; of a file that is not there the nearest name in the folder `root`."""
    import yaml

    if not path.is_file():
        known = sorted(p.relative_to(root).with_suffix("").as_posix() for p in root.rglob("*.yaml"))
        name = path.relative_to(root).with_suffix("").as_posix()
        there = f"; there are {', '.join(known)}" if known else ""
        raise UserError(f"no {what} {name} in {root}{nearest(name, known) or there}")
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(raw, dict) or not raw:
        raise UserError(f"{path}: must be a mapping")
    return raw


def assign(arms: Mapping[str, Arm], runs: Sequence[Run]) -> tuple[dict[str, Arm], list[Run]]:
    """The arms with their runs in order of seed, and the runs of no arm.

    Errors: UserError where a run fits two arms, and where two runs of an arm have one seed.
    """
    members: dict[str, list[Run]] = {key: [] for key in arms}
    configs = [with_choices(run.config) for run in runs]
    others: list[Run] = []
    for run, config in zip(runs, configs, strict=True):
        fitting = [key for key, arm in arms.items() if matches(config, arm.where)]
        if len(fitting) > 1:
            raise UserError(f"{run.path} fits the arms {' and '.join(fitting)}; their `where` must tell them apart")
        (members[fitting[0]] if fitting else others).append(run)
    found = {}
    for key, arm in arms.items():
        mine = sorted(members[key], key=lambda run: (run.seed is None, run.seed, run.path))
        for one, other in pairwise(mine):
            if one.seed == other.seed:
                raise UserError(f"arm {key} has two runs of seed {one.seed}: {one.path} and {other.path}")
        found[key] = replace(arm, runs=tuple(mine))
    return found, others


def matches(config: Mapping[str, Any], where: Mapping[str, Any]) -> bool:
    """Does a flat config with choices have these values?"""
    return all(name in config and _fits(config[name], wanted) for name, wanted in where.items())


def _fits(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, list):
        return any(_fits(value, one) for one in wanted)
    return bool(value == wanted) and isinstance(value, bool) == isinstance(wanted, bool)
