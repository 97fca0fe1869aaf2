"""Does every method of an algorithm name only what a run can give it? Read from source, before anything loads.

The vocabulary and who may use which part of it stand in crucible.algorithms.given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from crucible.algorithms.given import NEEDS_ANSWERS, NEEDS_CRITIC, OFFLINE_ROLES, ROLES, unknown
from crucible.config.check import Origin
from crucible.config.rules import targets
from crucible.config.signatures import leading, read
from crucible.errors import UserError

CALLS_BY_NAME = "crucible.modules.online_rl.OnlineRL"  # the kind of run whose parts are called by name


def enforce_names(config: Mapping[str, Any], origin: Origin | None = None) -> None:
    """Raise UserError with one line for each name that no run, or not this run, can give."""
    found = list(dict.fromkeys(unknown_names(config, origin or Origin())))
    if found:
        raise UserError("\n".join(found))


def unknown_names(config: Mapping[str, Any], origin: Origin) -> Iterator[str]:
    algo = config.get("algo")
    if not isinstance(algo, Mapping):
        return
    for (role, method), vocabulary in OFFLINE_ROLES.get(str(algo.get("_target_")), {}).items():
        for path, node in _nodes(config, role):
            who = f"{path}={origin.option(path) or node['_target_'].rpartition('.')[2]}"
            wanted = (name for name in leading(node["_target_"], method) or () if name not in node)
            yield from (unknown(who, name, vocabulary) for name in wanted if name not in vocabulary)
    if algo.get("_target_") != CALLS_BY_NAME:
        return
    critic = algo.get("critic") or {}
    given = read(critic["_target_"]).attributes.get("gives", ()) if critic else ()
    answers = any("answers" in s.attributes.get("gives", ()) for _, s in targets({"reward": config.get("reward")}))
    for (role, method), vocabulary in ROLES.items():
        for path, node in _nodes(config, role):
            who = f"{path}={origin.option(path) or node['_target_'].rpartition('.')[2]}"
            for name in leading(node["_target_"], method) or ():
                if name in node:
                    continue
                if name not in vocabulary:
                    yield unknown(who, name, vocabulary)
                elif name in NEEDS_CRITIC and name not in given:
                    option = NEEDS_CRITIC[name]
                    yield f'{who} asks for "{name}", which only a critic can give: choose algo/critic={option}'
                elif name in NEEDS_ANSWERS and not answers:
                    yield f'{who} asks for "{name}", which only reward=verifree gives, by itself or as a part'


def _nodes(config: Mapping[str, Any], role: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The nodes with a target at a path; "*" at its end is every key."""
    parts = role.split(".")
    node: Any = config
    for part in parts[: -1 if parts[-1] == "*" else None]:
        node = node.get(part) if isinstance(node, Mapping) else None
    found = node.items() if parts[-1] == "*" and isinstance(node, Mapping) else [("", node)]
    for key, value in found:
        if isinstance(value, Mapping) and isinstance(value.get("_target_"), str):
            yield role.replace("*", str(key)), value
