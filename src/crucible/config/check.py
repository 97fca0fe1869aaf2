"""Is every option of a composed config an option of something? Typos and wrong types stop here.

The schema is the signature of each `_target_`, read from source. Hydra checks none of this: it lets
`+algo.clp=1` and `++algo.clp=1` through, and any key in a recipe.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from crucible.config.annotations import Kind, kinds, plain, scalar_problem, show
from crucible.config.signatures import Parameter, Signature, passed_on, read
from crucible.errors import UserError, nearest

ROOT = "crucible.run.run"
OWN_KEYS = ("_target_", "_partial_")  # the two keys that are not parameters; see crucible.parts


@dataclass(frozen=True)
class Origin:
    """Where nodes come from, for messages.

    `root`: the primary config; `choices`: {"algo.loss": "algo/loss/ppo_clip"}; `groups`: every axis,
    as "algo/loss"; `recipe`: the content of the recipe called `recipe_name`, if there is one.
    """

    root: str = "conf/train"
    choices: Mapping[str, str] = field(default_factory=dict)
    groups: Collection[str] = ()
    recipe_name: str = ""
    recipe: Mapping[str, Any] = field(default_factory=dict)

    def of(self, path: str, key: str = "") -> str:
        """The file a node was read from ("conf/algo/loss/ppo_clip"); of a key, the recipe that sets it."""
        parts = path.split(".") if path else []
        if key and self._in_recipe([*parts, key]):
            return self.recipe_name
        for cut in range(len(parts), 0, -1):
            if choice := self.choices.get(".".join(parts[:cut])):
                return f"conf/{choice}"
        return self.root

    def option(self, path: str) -> str | None:
        """The option chosen at a path: "ppo_clip"."""
        choice = self.choices.get(path)
        return choice.rpartition("/")[2] if choice else None

    def is_group(self, path: str) -> bool:
        return path.replace(".", "/") in self.groups

    def _in_recipe(self, parts: list[str]) -> bool:
        node: Any = self.recipe
        for part in parts:
            if not isinstance(node, Mapping) or part not in node:
                return False
            node = node[part]
        return True


def check(config: Mapping[str, Any], origin: Origin | None = None, root: str = ROOT) -> None:
    """Raise UserError with one line for each thing that is wrong; return where nothing is."""
    found = list(dict.fromkeys(problems(config, origin or Origin(), root)))
    if found:
        raise UserError("\n".join(found))


def problems(config: Mapping[str, Any], origin: Origin, root: str = ROOT) -> Iterator[str]:
    """Every problem of a whole config."""
    target = config.get("_target_", root)
    handed_over = passed_on(target) if isinstance(target, str) else frozenset()
    yield from _Walk(origin, frozenset(config), handed_over).node(config, "", target)


class _Walk:
    """One pass over a config.

    A target that asks for them by name is given the values of `top` (the top-level keys) and those of
    `handed_over` (what the root function passes on). What it must be given, its node cannot set.
    """

    def __init__(self, origin: Origin, top: frozenset[str], handed_over: frozenset[str]):
        self.origin, self.supplied = origin, top | handed_over
        self.internal, self.shared = handed_over - top, handed_over & top

    def node(self, node: Mapping[str, Any], path: str, target: Any) -> Iterator[str]:
        """A node with a target: its keys are parameters, its values fit, nothing required is missing."""
        if not isinstance(target, str):
            yield f"{_join(path, '_target_')}={target}: must be the dotted path of a function or class"
            return
        try:
            signature = read(target)
        except UserError as error:
            yield f"{path or 'the config'} in {self.origin.of(path)}: {error}"
            return
        if not isinstance(node.get("_partial_", False), bool):
            yield f"{_join(path, '_partial_')}={node['_partial_']}: must be true or false"
        for key, value in node.items():
            if key in OWN_KEYS:
                continue
            parameter = signature.parameters.get(str(key))
            if parameter is None:
                yield self.unknown(str(key), path, signature)
            elif self.given(parameter, path, partial=bool(node.get("_partial_"))):
                where = self.origin.of(path, str(key))
                instead = f"; set {key} and not {path}.{key}" if key in self.shared else ""
                yield f"{path}.{key} in {where}: the program supplies {key}{instead}"
            else:
                yield from self.value(value, _join(path, str(key)), _kinds(parameter))
        yield from self.missing(node, path, signature)

    def unknown(self, key: str, path: str, signature: Signature) -> str:
        names = [name for name, p in signature.parameters.items() if not path or self.settable(p, path)]
        hint = nearest(key, names) or (f" (options: {', '.join(names)})" if names else " (it has no options)")
        return f"unknown option {_join(path, key)} in {self.origin.of(path, key)}{hint}"

    def missing(self, node: Mapping[str, Any], path: str, signature: Signature) -> Iterator[str]:
        """Required parameters that neither the config nor the program supplies."""
        lacking = []
        for name, parameter in signature.parameters.items():
            if not parameter.required or name in node or (path and name in self.supplied):
                continue
            if not path or self.of_config(parameter, path, partial=bool(node.get("_partial_"))):
                lacking.append(_join(path, name))
        if lacking:
            plural = len(lacking) > 1
            yield (
                f"missing option{'s' if plural else ''} {', '.join(lacking)} in {self.origin.of(path)}: "
                f"{signature.name} needs {'them' if plural else 'it'}"
            )

    def settable(self, parameter: Parameter, path: str) -> bool:
        """Is it an option, rather than something the program hands over?"""
        if parameter.name in self.internal or self.given(parameter, path, partial=False):
            return False
        return not parameter.required or self.of_config(parameter, path, partial=False)

    def given(self, parameter: Parameter, path: str, *, partial: bool) -> bool:
        """Does the program, and nothing else, supply it? A default makes it an option (model.seed), so does plain text
        under a name that is no top-level key (data.path)."""
        if not path or self.origin.is_group(_join(path, parameter.name)):
            return False
        if partial and not parameter.keyword_only:
            return True
        if parameter.name in self.shared:
            return parameter.required
        return parameter.name in self.internal and not plain(_kinds(parameter))

    def of_config(self, parameter: Parameter, path: str, *, partial: bool) -> bool:
        """Must the config give this required parameter? Parts that are no axis come from the program."""
        if self.origin.is_group(_join(path, parameter.name)):
            return True
        return plain(_kinds(parameter)) and (parameter.keyword_only or not partial)

    def value(self, value: Any, path: str, allowed: tuple[Kind, ...]) -> Iterator[str]:
        if isinstance(value, Mapping):
            yield from self.mapping(value, path, allowed)
        elif isinstance(value, list | tuple):
            lists = [kind for kind in allowed if kind.name == "list"]
            if lists and lists[0].scope is not None and lists[0].inner is not None:
                for i, item in enumerate(value):
                    yield from self.value(item, f"{path}[{i}]", kinds(lists[0].inner, lists[0].scope))
            elif not lists and not any(kind.name == "any" for kind in allowed):
                yield f"{path} in {self.origin.of(path)} is a list; give a single value"
        elif isinstance(value, str) and self.origin.is_group(path):
            group = path.replace(".", "/")
            yield f"{path}={value}: {path} is chosen with a slash: write {group}={value}"
        elif (problem := scalar_problem(value, allowed)) is not None:
            parent, _, key = path.rpartition(".")
            yield f"{path}={show(value)} in {self.origin.of(parent, key)}: {problem}"

    def mapping(self, value: Mapping[str, Any], path: str, allowed: tuple[Kind, ...]) -> Iterator[str]:
        if "_target_" in value:
            if all(kind.name not in ("part", "any", "mapping") for kind in allowed):
                yield f"{path} in {self.origin.of(path)} is a part with a _target_; give a plain value"
            else:
                yield from self.node(value, path, value["_target_"])
            return
        free = [kind for kind in allowed if kind.name in ("mapping", "any")]
        classes = [kind for kind in allowed if kind.name == "part" and kind.label]
        chosen = self.origin.is_group(path) and not all(_is_part(item) for item in value.values())
        if chosen or "_partial_" in value:
            yield f"{path} in {self.origin.of(path)} has no _target_: it would build nothing"
        elif free:
            inner: tuple[Kind, ...] = (Kind("any"),)
            if free[0].inner is not None and free[0].scope is not None:
                inner = kinds(free[0].inner, free[0].scope)
            for key, item in value.items():
                yield from self.value(item, _join(path, str(key)), inner)
        elif classes:
            yield from self.node(value, path, classes[0].label)
        else:
            yield f"{path} in {self.origin.of(path)} has no _target_ and is not a mapping option"


def _is_part(value: Any) -> bool:
    return isinstance(value, Mapping) and "_target_" in value


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _kinds(parameter: Parameter) -> tuple[Kind, ...]:
    return kinds(parameter.annotation, parameter.module)
