"""Arms out of runs alone: runs that differ in nothing but their seed are one arm, named by what tells it apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from crucible.analysis.arms import Arm
from crucible.analysis.frame import TARGET, with_choices
from crucible.analysis.results import same
from crucible.analysis.runs import Run
from crucible.analysis.sweep_runs import LABEL
from crucible.analysis.tables.selection import differing, repeatable

Config = dict[str, Any]


def auto_arms(runs: Sequence[Run], *, first: int = 0) -> dict[str, Arm]:
    """Arms in order of appearance, numbered from `first`; runs that share a seed stay in one arm."""
    groups: list[tuple[Config, list[Run]]] = []
    for run in runs:
        config = repeatable(run.config)
        for known, members in groups:
            if known.keys() == config.keys() and all(same(known[k], config[k]) for k in known):
                members.append(run)
                break
        else:
            groups.append((config, [run]))
    labels = labels_of([with_choices(members[0].config) for _, members in groups])
    found = {}
    for i, ((_, members), label) in enumerate(zip(groups, labels, strict=True), first):
        ordered = sorted(members, key=lambda run: (str(run.seed), run.path))
        found[f"arm{i}"] = Arm(f"arm{i}", label, {}, i, runs=tuple(ordered))
    return found


def labels_of(configs: Sequence[Config]) -> list[str]:
    """A short name for each config: the values of the parts and of as few options as tell them all apart.

    What a sweep varied comes first, in its own words; then parts, then plain options.
    """
    if len(configs) == 1:
        return ["all runs"]
    options = differing([{k: v for k, v in c.items() if _tells(k)} for c in configs])
    ranked = sorted(options, key=lambda name: (not name.startswith(LABEL), not _part(name, configs)))
    chosen: list[str] = []
    parts = _partition(configs, chosen)
    for name in ranked:
        if parts == len(configs):
            break
        more = _partition(configs, [*chosen, name])
        if more > parts:
            chosen, parts = [*chosen, name], more
    for name in [n for n in chosen if not _part(n, configs)]:  # what a later option made superfluous
        fewer = [other for other in chosen if other != name]
        if _partition(configs, fewer) == parts:
            chosen = fewer
    return [_label(config, _varying(config, configs, chosen)) for config in configs]


def _tells(name: str) -> bool:
    return name != f"{LABEL}seed" and name != f"{LABEL}grid" and name != "seed" and not name.endswith(TARGET)


def _part(name: str, configs: Sequence[Mapping[str, Any]]) -> bool:
    return any(f"{name}{TARGET}" in config for config in configs)


def _partition(configs: Sequence[Config], names: Sequence[str]) -> int:
    return len({tuple(str(config.get(name)) for name in names) for config in configs})


def _varying(config: Config, configs: Sequence[Config], names: Sequence[str]) -> list[str]:
    """The first name, and those that differ between the configs that share its value with this one."""
    alike = [other for other in configs if _partition([config, other], names[:1]) == 1]
    return [name for i, name in enumerate(names) if i == 0 or _partition(alike, [name]) > 1]


def _label(config: Config, names: Sequence[str]) -> str:
    words = []
    for name in names:
        if name in config:
            short = name.removeprefix(LABEL).rpartition(".")[2]
            value = config[name]
            text = f"{value:g}" if isinstance(value, float) else str(value)
            words.append(text if _part(name, [config]) or name == f"{LABEL}algo" else f"{short}={text}")
    return " ".join(words) or "the others"
