"""Hydra composition, fast enough for thousands of points.

Composing takes Hydra 50-200 ms. Points of a grid mostly differ in values, not in chosen groups: each
distinct choice of groups is composed once, and value overrides are applied to copies of the result,
exactly as Hydra applies them. Anything that is not a plain `key=value` on an existing scalar or list
(`+`, `++`, `~`, packages, dicts, interpolations, list items) goes through Hydra itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.conf import HydraConf
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf, open_dict

from crucible.config.check import Origin
from crucible.config.compose import Composed, explain, resolved
from crucible.config.hydra_errors import CONFIG_ERRORS
from crucible.config.hydra_setup import set_up
from crucible.errors import UserError
from crucible.sweeps.config_loader import Loader

MOST_POINTS = 100_000  # of one grid; far more than a table has, and few enough to be made

Plain = dict[str, Any]


@dataclass
class _Template:
    """One composed choice of groups: the live config, its resolved copy, and its interpolations."""

    node: DictConfig
    plain: Plain
    origin: Origin
    hydra: HydraConf | None  # Hydra's own part, which ${hydra:...} reads
    interpolated: list[str]
    applied: dict[str, str] = field(default_factory=dict)  # key -> the override last put into `node`
    values: dict[str, Any] = field(default_factory=dict)  # override -> the value it gives


class Composer:
    """Composes points of `root`/conf/`name`.yaml. Use inside `open_composer`."""

    def __init__(self, root: Path, name: str) -> None:
        self.root = root
        self.name = name
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        self._loader = hydra.config_loader = Loader(hydra.config_loader.get_search_path())
        self._parser = OverridesParser.create(config_loader=self._loader)
        self._parsed: dict[str, Override] = {}
        self._groups: dict[str, bool] = {}
        self._values: dict[str, bool] = {}
        self._templates: dict[tuple[tuple[str, ...], tuple[str, ...]], _Template] = {}

    def parse(self, text: str) -> Override:
        if text not in self._parsed:
            with self._one_line([text]):
                self._parsed[text] = self._parser.parse_overrides([text])[0]  # binds the loader that globs need
        return self._parsed[text]

    def product(self, overrides: Sequence[str]) -> list[tuple[str, ...]]:
        """All points of overrides in Hydra's sweep grammar (lists, choice, range, glob); the last of a key wins."""
        parsed = [self.parse(text) for text in overrides]
        points = 1
        for override in parsed:
            if override.is_sweep_override():
                points *= sum(1 for _ in islice(override.sweep_string_iterator(), MOST_POINTS + 1))
            if points > MOST_POINTS:
                raise UserError(f"{override.input_line}: more than {MOST_POINTS:,} points; make several sweeps of it")
        with self._one_line(overrides):
            batches = BasicSweeper.split_arguments(parsed, max_batch_size=None)
        return [tuple(point) for point in batches[0]]

    def compose(self, overrides: Sequence[str]) -> Composed:
        """The resolved config of one point. Unchanged branches are shared between points: do not modify it."""
        parsed = [self.parse(text) for text in overrides]
        values = [override for override in parsed if self._is_value(override)]
        structure = [override for override in parsed if not self._is_value(override)]
        keys = tuple(override.key_or_group for override in values)
        # points of one template all set the same keys, so no value of another point can stay behind
        at = (tuple(str(override.input_line) for override in structure), keys)
        if at not in self._templates:
            forced = [o.key_or_group for o in structure if not self._is_group(o)]
            if any(_under(a, b) or _under(b, a) for a in forced for b in keys) or _nested(keys):
                return self.compose_fully(overrides)  # order matters: leave it to Hydra
            self._templates[at] = self._make_template(overrides)
        template = self._templates[at]
        return Composed(self._with_values(template, values), template.origin)

    def compose_fully(self, overrides: Sequence[str]) -> Composed:
        """The same by one full Hydra composition: what `compose` must equal."""
        template = self._make_template(overrides)
        return Composed(template.plain, template.origin)

    def _is_value(self, override: Override) -> bool:
        line = str(override.input_line)
        if line not in self._values:
            self._values[line] = self._is_plain(override)
        return self._values[line]

    def _is_plain(self, override: Override) -> bool:
        if override.is_delete() or override.is_add() or override.is_force_add() or override.package:
            return False
        key, value = override.key_or_group, override.value()
        if key.startswith("hydra.") or any(part.isdigit() for part in key.split(".")) or "[" in key:
            return False
        if isinstance(value, dict) or "${" in str(value):
            return False
        return not self._is_group(override)

    def _is_group(self, override: Override) -> bool:
        key = override.key_or_group
        if key not in self._groups:
            self._groups[key] = "/" in key or bool(self._loader.repository.get_group_options(key))
        return self._groups[key] and not isinstance(override.value(), dict)

    def _make_template(self, overrides: Sequence[str]) -> _Template:
        with self._one_line(overrides):
            node = hydra_compose(self.name, overrides=list(overrides), return_hydra_config=True)
            HydraConfig.instance().set_config(node)  # for ${hydra:runtime.choices...}
            with open_dict(node):
                hydra = node.pop("hydra")
            composed = resolved(node, hydra, self.root)
        seen = HydraConfig.instance().cfg
        return _Template(node, composed.config, composed.origin, seen, list(_interpolations(node)))

    def _with_values(self, template: _Template, overrides: Sequence[Override]) -> Plain:
        plain = template.plain
        HydraConfig.instance().cfg = template.hydra
        lines = [str(override.input_line) for override in overrides]
        with self._one_line(lines):
            for override, line in zip(overrides, lines, strict=True):
                key, known = override.key_or_group, line in template.values
                if template.applied.get(key) != line and (template.interpolated or not known):
                    OmegaConf.update(template.node, key, override.value(), merge=True)
                    template.applied[key] = line
                if not known:
                    template.values[line] = _resolved(template.node, key)
                plain = _replaced(plain, key.split("."), template.values[line])
            for key in template.interpolated:
                plain = _replaced(plain, key.split("."), _resolved(template.node, key))
        return plain

    @contextlib.contextmanager
    def _one_line(self, overrides: Sequence[str]) -> Iterator[None]:
        try:
            yield
        except CONFIG_ERRORS as error:
            hydra = GlobalHydra.instance().hydra
            GlobalHydra.instance().clear()  # the explanation composes once more, on its own
            try:
                message = explain(error, overrides, self.root, name=self.name)
            finally:
                GlobalHydra.instance().hydra = hydra
            raise UserError(message) from None


@contextlib.contextmanager
def open_composer(root: Path, name: str = "train") -> Iterator[Composer]:
    """Hydra's compose API on `root`/conf, its global state put back afterwards."""
    if not (root / "conf" / f"{name}.yaml").is_file():
        raise UserError(f"no config {root / 'conf' / name}.yaml; set root=<the folder that holds conf/>")
    before = HydraConfig.instance().cfg
    set_up(root)
    with initialize_config_dir(str((root / "conf").resolve()), version_base="1.3"):
        try:
            yield Composer(root, name)
        finally:
            HydraConfig.instance().cfg = before


def _resolved(config: DictConfig, key: str) -> Any:
    value = OmegaConf.select(config, key, throw_on_resolution_failure=True)
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


def _replaced(tree: Plain, path: Sequence[str], value: Any) -> Plain:
    """A copy of `tree` with one value changed; untouched branches are shared."""
    head, *rest = path
    return {**tree, head: _replaced(tree[head], rest, value) if rest else value}


def _interpolations(node: DictConfig, prefix: str = "") -> Iterator[str]:
    for key in node:
        child = node._get_node(key)
        path = f"{prefix}{key!s}"
        if child is not None and child._is_interpolation():
            yield path
        elif isinstance(child, DictConfig) and not child._is_none() and not child._is_missing():
            yield from _interpolations(child, f"{path}.")
        elif OmegaConf.is_list(child) and "${" in str(child):
            yield path


def _under(inner: str, outer: str) -> bool:
    return inner == outer or inner.startswith(f"{outer}.")


def _nested(keys: Sequence[str]) -> bool:
    return any(a != b and _under(a, b) for a in keys for b in keys)
