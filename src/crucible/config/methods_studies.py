"""In which studies a method was run: read from the stored results and the sweep files, so that nothing is typed.

docs/studies/results/*.json   every stored run with its config: parts by `_target_`, and their options
sweeps/**/*.yaml              which presets an experiment chose, and what it set on top of them

A part was run where a finished run has its target. Where several YAMLs set up one function, a run belongs to the one
whose options it has, else to the one named after the function. A preset was run where a sweep of the run's experiment
chooses it and the run has its parts and options, but for those the sweep sets itself. An option that a run does not
know is younger than the run, and had no other value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from crucible.errors import UserError

Flat = Mapping[str, Any]  # "algo.loss.beta1": 0.5
TARGET = "_target_"


@dataclass(frozen=True)
class Ran:
    """A study, and how many of its finished runs used the method. `page` is its document, else its results."""

    study: str
    runs: int
    page: Path


@dataclass(frozen=True)
class Study:
    """A results file: (experiment, config) of each finished run."""

    name: str
    page: Path
    runs: tuple[tuple[str, Flat], ...]

    def count(self, used: Sequence[bool]) -> Ran | None:
        return Ran(self.name, sum(used), self.page) if any(used) else None


@dataclass(frozen=True)
class Chosen:
    """A grid of a sweep: its experiment, the presets it chooses, and the options and parts ("algo.loss.") it sets."""

    experiment: str
    presets: frozenset[str]
    sets: tuple[str, ...]

    def leaves(self, expected: Flat) -> Flat:
        """What of a preset's config the sweep does not set."""
        parts = tuple(key for key in self.sets if key.endswith("."))
        return {k: v for k, v in expected.items() if k not in self.sets and not (parts and k.startswith(parts))}


def studies(root: Path) -> list[Study]:
    """Of the results files under docs/studies. Errors: UserError for one that is damaged."""
    return [_study(root, file) for file in sorted((root / "docs" / "studies" / "results").glob("*.json"))]


def _study(root: Path, file: Path) -> Study:
    try:
        content = json.loads(file.read_bytes())
        runs = [run for run in content["runs"] if run["state"] == "finished"]
        found = tuple((str(run["experiment"]), {**content["config"], **run["config"]}) for run in runs)
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{file} is no results file ({type(error).__name__}: {error}); collect it again") from error
    folders = (file.parent.parent, root / "docs")
    pages = [p for folder in folders for p in folder.glob("*.md") if file.stem.startswith(p.stem)]
    page = max(pages, key=lambda p: len(p.stem), default=file)
    return Study(page.stem, page.relative_to(root), found)


def part_ran(
    found: Iterable[Study], path: str, target: str, options: Flat, others: Sequence[Flat], *, own: bool
) -> tuple[Ran, ...]:
    """Runs whose part at `path` is that of one YAML. `others`: what the function's other YAMLs set; `own`: this one has
    the function's name."""

    def is_mine(config: Flat) -> bool:
        if config.get(f"{path}.{TARGET}") != target:
            return False
        return _agrees(config, options) or (own and not any(_agrees(config, other) for other in others))

    counted = [study.count([is_mine(config) for _, config in study.runs]) for study in found]
    return tuple(ran for ran in counted if ran)


def preset_ran(found: Iterable[Study], sweeps: Iterable[Chosen], name: str, expected: Flat) -> tuple[Ran, ...]:
    """Runs that a sweep made of the preset."""
    wanted = [(sweep.experiment, sweep.leaves(expected)) for sweep in sweeps if name in sweep.presets]

    def is_mine(experiment: str, config: Flat) -> bool:
        return any(experiment == home and _agrees(config, rest) for home, rest in wanted)

    counted = [study.count([is_mine(*run) for run in study.runs]) for study in found]
    return tuple(ran for ran in counted if ran)


def _agrees(config: Flat, wanted: Flat) -> bool:
    """Does a run have these values? Targets must be there, other options may be younger than the run."""
    return all(
        _same(config[key], value) if key in config else not key.endswith(TARGET) for key, value in wanted.items()
    )


def _same(a: Any, b: Any) -> bool:
    return a == b and isinstance(a, bool) == isinstance(b, bool)


def chosen(root: Path) -> list[Chosen]:
    """Every grid of every sweep that chooses presets by name."""
    return [choice for file in sorted((root / "sweeps").rglob("*.yaml")) for choice in _chosen(root, file)]


def _chosen(root: Path, file: Path) -> Iterator[Chosen]:
    content = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    experiment = content.get("experiment") or file.relative_to(root / "sweeps").with_suffix("").as_posix()
    grid = content.get("grid") or []
    for part in grid.values() if isinstance(grid, dict) else [grid]:
        texts = [str(text) for text in (*(content.get("base") or ()), *part)]
        presets = frozenset(name for text in texts for name in _presets(text))
        if presets:
            yield Chosen(str(experiment), presets, tuple(_sets(texts)))


def _presets(text: str) -> list[str]:
    name, _, values = text.partition("=")
    return [value.strip() for value in values.split(",") if value.strip()] if name.strip() == "algo" else []


def _sets(texts: Sequence[str]) -> Iterator[str]:
    for text in texts:
        name = text.partition("=")[0].lstrip("+~").strip()
        if re.match(r"algo[./]", name):
            yield f"{name.replace('/', '.')}." if "/" in name else name
