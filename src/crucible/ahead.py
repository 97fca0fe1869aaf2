"""What can be refused before a model is made: a warm-up, a reward model or a download is not begun for nothing.

A target marked with `@looks_ahead(refuse)` has `refuse` called before anything is built, with those of the target's
options and of the run's parts that it names. A model's target marked with `@stood_in_by(make)` has a policy of the same
tokenizer and context that costs nothing: the untrained one of a model trained from scratch.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from crucible.parts import Parts, locate

T = TypeVar("T")
REFUSES, STAND_IN = "__looks_ahead__", "__stood_in_by__"


def looks_ahead(refuse: Callable[..., object]) -> Callable[[T], T]:
    """Mark a function or class with what it refuses early. `refuse` must name no part that needs a model."""
    return _marked(REFUSES, refuse)


def stood_in_by(make: Callable[..., Any]) -> Callable[[T], T]:
    """Mark the target of a model with what stands in for it until it is made."""
    return _marked(STAND_IN, make)


def _marked(name: str, function: Callable[..., Any]) -> Callable[[T], T]:
    def mark(target: T) -> T:
        setattr(target, name, function)
        return target

    return mark


def refuse_ahead(parts: Parts, *nodes: Any) -> None:
    """Let every target in these config nodes refuse what it can. Errors: UserError."""
    for node, target in (found for given in nodes for found in targets(given)):
        if hasattr(target, REFUSES):
            parts.call(getattr(target, REFUSES), node, target)


def stand_in(parts: Parts) -> Any:
    """What the policy will be like: one with its tokenizer and context. None where only the model itself can tell."""
    node = parts.node("policy")
    for found, target in targets(node):
        if found is node and hasattr(target, STAND_IN):
            return parts.call(getattr(target, STAND_IN), node, target)
    return None


def asks_for(parts: Parts, name: str, wanted: str, seen: frozenset[str] = frozenset()) -> bool:
    """Would building the part `name` build the part `wanted`?"""
    if name == wanted:
        return True
    asked = {
        parameter
        for node, target in targets(parts.node(name))
        for parameter in inspect.signature(target).parameters
        if parameter not in node and parts.node(parameter) is not None
    }
    return any(asks_for(parts, part, wanted, seen | {name}) for part in asked - seen - {name})


def targets(node: Any) -> Iterator[tuple[Mapping[str, Any], Callable[..., Any]]]:
    """Every node with a target in a config node, itself first, and the target."""
    if isinstance(node, Mapping):
        if "_target_" in node:
            yield node, locate(node["_target_"])
        for value in node.values():
            yield from targets(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from targets(value)
