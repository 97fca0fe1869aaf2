"""From a sweep file to its points: each with a resolved config, a run id and resources."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crucible.config.check import Origin
from crucible.config.compose import Composed
from crucible.config.identity import Texts
from crucible.errors import UserError
from crucible.sweeps import conditions
from crucible.sweeps.composition import Composer
from crucible.sweeps.definition import SweepDefinition
from crucible.sweeps.resources import Resources, merge


@dataclass(frozen=True)
class Point:
    """One run of a sweep. `label` holds what tells it from its neighbours; `run_dir` is set by `place`."""

    run_id: str
    config: Mapping[str, Any]
    overrides: tuple[str, ...]
    label: Mapping[str, str]
    resources: Resources
    run_dir: Path = field(default=Path())


@dataclass(frozen=True)
class Rules:
    """What the program makes of a config: is it allowed, and what is it called."""

    check: Callable[[Composed], None]  # every option exists and its value fits; raises UserError
    enforce: Callable[[Composed], None]  # what options must not be together; raises UserError
    run_id: Callable[..., str]  # hash of the config minus cosmetics: crucible.config.identity.run_id


def expand(
    definition: SweepDefinition,
    composer: Composer,
    rules: Rules,
    *,
    layers: tuple[Mapping[str, Any], Mapping[str, Any]] = ({}, {}),
    code: str | None = None,
) -> list[Point]:
    """All points of a sweep, in grid order.

    `layers` are resources below and above the sweep's own. With `code` (a code version) the run id covers
    the code as well. Raises UserError, naming the point, for a bad override, an impossible config, no
    points at all and two points that are the same run.
    """
    below, above = layers
    points: dict[str, Point] = {}
    checked: set[tuple[int, str]] = set()
    origins: list[Origin] = []  # kept alive, so that an id names one of them
    known: Texts = {}
    for overrides, label in _combinations(definition, composer):
        composed = composer.compose(overrides)
        config, choices = composed.config, composed.origin.choices
        if any(conditions.holds(rule, config, choices) for rule in definition.exclude):
            continue
        # options are checked one by one, so a value that passed in this choice of groups passes again
        fresh = {(id(composed.origin), text) for text in overrides} - checked
        try:
            if fresh:
                rules.check(composed)
            rules.enforce(composed)
        except UserError as error:
            raise UserError(f"{definition.name} at {' '.join(label.values()) or 'its base'}: {error}") from None
        checked |= fresh
        origins.append(composed.origin)
        run_id = rules.run_id(config, known=known) + (f"-{code}" if code else "")
        if run_id in points:
            one, other = (" ".join(f"{k}={v}" for k, v in p.items()) for p in (points[run_id].label, label))
            raise UserError(f"{definition.name}: two points are the same run {run_id}: [{one}] and [{other}]")
        special = [r.resources for r in definition.points if conditions.holds(r.when, config, choices)]
        resources = merge(below, definition.resources, *special, above)
        points[run_id] = Point(run_id, config, overrides, label, resources)
    if not points:
        raise UserError(f"{definition.name}: no points are left (empty choices, or everything is excluded)")
    return list(points.values())


def _combinations(definition: SweepDefinition, composer: Composer) -> list[tuple[tuple[str, ...], dict[str, str]]]:
    """(all overrides, label) of every point before exclusion. Seeds vary fastest."""
    found = []
    seeds = f"seed={definition.seeds}"
    home = f"experiment={definition.experiment}"
    for name, grid in definition.grids.items():
        for text in (*definition.base, *grid):
            if composer.parse(text).key_or_group == "seed":
                raise UserError(f"{definition.name}: {text}: name seeds under `seeds`, not in the base or the grid")
        for text in definition.base:
            if composer.parse(text).is_sweep_override():
                raise UserError(f"{definition.name}: base: {text} has several values; move it to the grid")
        varied = [composer.parse(text).get_key_element() for text in (*grid, seeds)]
        for overrides in composer.product([home, *definition.base, *grid, seeds]):
            values = dict(text.partition("=")[::2] for text in overrides)
            label = {key: values[key] for key in varied if key in values}
            found.append((overrides, {"grid": name, **label} if name else label))
    return found


def place(points: Sequence[Point], runs_dir: Path, experiment: str) -> list[Point]:
    """Give each point its run directory: the existing one of that id in any experiment, else a new one.

    So a point of two sweeps is one run, whatever folder it was first made in.
    """
    from dataclasses import replace

    existing: dict[str, Path] = {}
    if runs_dir.is_dir():
        for folder in sorted(runs_dir.iterdir()):
            if folder.is_dir() and not folder.name.startswith("."):
                for run in folder.iterdir():
                    existing.setdefault(run.name, run)
    return [replace(p, run_dir=existing.get(p.run_id, runs_dir / experiment / p.run_id)) for p in points]
