"""What can be chosen: the axes, their options and the recipes, read from the YAML files as text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

RECIPES = "experiments"


@dataclass(frozen=True)
class Option:
    """One YAML file."""

    name: str
    file: Path

    @property
    def summary(self) -> str:
        return summary(self.file)


def axes(root: Path, name: str | None = None) -> dict[str, list[Option]]:
    """The folders of conf/ with their options: {"algo": [...], "algo/loss": [...]}, sorted by name.

    With `name`, only those that conf/<name>.yaml chooses from.
    """
    conf = root / "conf"
    chosen = _chosen(conf / f"{name}.yaml") if name else {}
    found: dict[str, list[Option]] = {}
    for file in sorted(conf.rglob("*.yaml")):
        axis = file.parent.relative_to(conf).as_posix()
        if axis != "." and (not name or axis.partition("/")[0] in chosen):
            found.setdefault(axis, []).append(Option(file.stem, file))
    return dict(sorted(found.items()))


def _chosen(file: Path) -> dict[str, str]:
    """The axes in a defaults list, each with the package it is put in: {"loss": "", "judge": "recipe"}."""
    if not file.is_file():
        return {}
    entries = re.split(r"^defaults:", file.read_text(encoding="utf-8"), maxsplit=1, flags=re.MULTILINE)[-1]
    head = re.split(r"^\w", entries, maxsplit=1, flags=re.MULTILINE)[0]
    entry = r"^\s*-\s+(?:override\s+)?/?(\w+)[\w/]*(?:@([\w.]+))?\s*:"
    return dict(re.findall(entry, head, flags=re.MULTILINE))


def users(root: Path, axis: str) -> list[str]:
    """The options of "algo" whose own defaults choose from "algo/loss"."""
    parent, _, name = axis.rpartition("/")
    return [o.name for o in axes(root).get(parent, []) if name in _chosen(o.file)]


def spelling(root: Path, axis: str) -> str:
    """An axis as it is written on the command line: "algo/loss", "reward/judge@reward.recipe"."""
    parent, _, name = axis.rpartition("/")
    for option in axes(root).get(parent, []):
        if package := _chosen(option.file).get(name):
            return f"{axis}@{parent.replace('/', '.')}.{package}"
    return axis


def recipes(root: Path) -> list[Option]:
    """The files of experiments/, named as after `+experiments=`. `_shared.yaml` is for others to build on."""
    folder = root / RECIPES
    files = sorted(f for f in folder.rglob("*.yaml") if not f.name.startswith("_"))
    return [Option(file.relative_to(folder).with_suffix("").as_posix(), file) for file in files]


def summary(file: Path) -> str:
    """The first comment line that says something."""
    for line in file.read_text(encoding="utf-8").splitlines():
        text = line.lstrip("# ").strip()
        if line.startswith("#") and text and not text.startswith("@package"):
            return text
        if line.strip() and not line.startswith("#"):
            break
    return ""


@dataclass(frozen=True)
class Setting:
    """One `key: value  # comment` line of a YAML file, with the path of the key."""

    path: str
    value: str
    comment: str


def settings(file: Path) -> Iterator[Setting]:
    """The plain options of a YAML file (not its defaults list, not hydra's own section)."""
    stack: list[tuple[int, str]] = []
    for line in file.read_text(encoding="utf-8").splitlines():
        match = re.match(r"^(\s*)([A-Za-z_]\w*):(?:\s+(.*))?$", line)
        if not match:
            continue
        indent, key, rest = len(match[1]), match[2], match[3] or ""
        while stack and stack[-1][0] >= indent:
            stack.pop()
        value, comment = _split(rest)
        stack.append((indent, key))
        path = ".".join(name for _, name in stack)
        if path.split(".")[0] not in ("defaults", "hydra") and key not in ("_target_", "_partial_"):
            yield Setting(path, value, comment)


def _split(rest: str) -> tuple[str, str]:
    """'auto  # what to do' -> ('auto', 'what to do'); a # inside quotes belongs to the value."""
    match = re.match(r"""^((?:"[^"]*"|'[^']*'|[^#"']|(?<=\S)#)*?)(?:(?:^|\s+)#\s*(.*))?$""", rest)
    return (match[1].strip(), (match[2] or "").strip()) if match else (rest.strip(), "")
