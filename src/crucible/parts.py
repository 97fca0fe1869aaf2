"""Building the parts of a run from config nodes. A target asks for what it needs by parameter name.

A node `{_target_: pkg.Thing, width: 3}` becomes `pkg.Thing(width=3, task=<the run's task>)` when
`Thing` has a parameter `task`. Parts are built on first use: a run that needs no policy loads none.
`_partial_: true` binds the options and leaves the rest to the caller (losses, advantages, ...).
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from crucible.errors import UserError


def locate(dotted: str) -> Callable[..., Any]:
    """The function or class named by a dotted path."""
    module, _, name = dotted.rpartition(".")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as e:
        raise UserError(f"_target_ {dotted}: {e}") from None


class Parts:
    """The parts of one run, by name: `ready` values, and `nodes` that are built when first asked for."""

    def __init__(self, nodes: Mapping[str, Any], **ready: Any):
        self._nodes, self._built, self._building = dict(nodes), dict(ready), set[str]()
        self._actions: dict[str, Callable[[Any], None]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._built or name in self._nodes

    def __getitem__(self, name: str) -> Any:
        if name not in self._built:
            if name in self._building:
                raise UserError(f"the part {name} needs itself: {' -> '.join([*self._building, name])}")
            self._building.add(name)
            part = self.build(self._nodes[name])
            if name in self._actions:
                self._actions[name](part)
            self._built[name] = part
            self._building.discard(name)
        return self._built[name]

    def add(self, name: str, part: Any) -> Any:
        """Put in a part that is made by hand."""
        self._built[name] = part
        return part

    def node(self, name: str) -> Any:
        """The config node of a part, whether it is built or not; None for parts that have none."""
        return self._nodes.get(name)

    def once_built(self, name: str, action: Callable[[Any], None]) -> None:
        """Call `action` with a part as soon as it is built, before anything else gets it."""
        self._actions[name] = action

    def make(self, *names: str) -> None:
        """Build these parts now rather than when they are first asked for: what they refuse is then refused early."""
        for name in names:
            self[name]

    def build(self, node: Any, **extra: Any) -> Any:
        """The object a config node describes; `extra` are parts for this target alone."""
        if isinstance(node, Mapping):
            if "_target_" not in node:
                return {key: self.build(value) for key, value in node.items()}
            target = locate(node["_target_"])
            options = {k: self.build(v) for k, v in node.items() if k not in ("_target_", "_partial_")}
            if node.get("_partial_"):
                return functools.partial(target, **options)
            for name in inspect.signature(target).parameters:
                if name not in options and name in extra:
                    options[name] = extra[name]
                elif name not in options and name in self:
                    options[name] = self[name]
            return target(**options)
        if isinstance(node, list | tuple):
            return [self.build(value) for value in node]
        return node

    def call(self, function: Callable[..., Any], node: Mapping[str, Any], target: Callable[..., Any]) -> Any:
        """`function` with those options of a node, and those parts, that it names, as they would go to `target`; and
        with these parts themselves where it names `parts`."""
        given, defaults = {}, inspect.signature(target).parameters
        for name, parameter in inspect.signature(function).parameters.items():
            if name == "parts":
                given[name] = self
            elif name in node:
                given[name] = self.build(node[name])
            elif name in self:
                given[name] = self[name]
            elif parameter.default is parameter.empty and name in defaults:
                given[name] = defaults[name].default
        return function(**given)
