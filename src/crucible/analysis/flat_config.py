"""config.yaml as one flat mapping, fast enough for ten thousand runs.

Parsing YAML costs milliseconds a file. The configs of a sweep share nearly all their blocks (model, data, trainer,
...), so each distinct top-level block is parsed once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from crucible.errors import UserError
from crucible.rundir.config_file import read_config
from crucible.rundir.status import one_line

# A line that begins a top-level block: no indent, no "-" (an item of the list before), no comment.
_BLOCK = re.compile(r"\n(?=[^\s#-])")
# escaped interpolations, YAML anchors, documents, directives: for these the whole file is read
_NOT_BY_BLOCK = ("${", "&id", "*id", "\n---", "\n...", "\n%")

Leaves = tuple[tuple[str, Any], ...]


def flatten(config: Mapping[str, Any], at: str = "") -> dict[str, Any]:
    """Dotted names to scalars; a list, or an empty mapping, becomes its JSON text, so that every value is hashable."""
    flat: dict[str, Any] = {}
    for name, value in config.items():
        where = f"{at}{name}"
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{where}.")
        else:
            flat[where] = value if _scalar(value) else json.dumps(value, ensure_ascii=False, default=str)
    return flat


def read_flat_config(path: Path) -> dict[str, Any]:
    """`flatten` of the config in `path`. Errors: UserError when it is missing or damaged."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {one_line(error)}") from error
    if not any(mark in text for mark in _NOT_BY_BLOCK):
        blocks = [_leaves(block) for block in _BLOCK.split(text) if block and not block.startswith(("#", "hydra:"))]
        if blocks and None not in blocks:
            return {name: value for leaves in blocks if leaves for name, value in leaves}
    return flatten(read_config(path))


@lru_cache(maxsize=20_000)
def _leaves(block: str) -> Leaves | None:
    """The leaves of one top-level block; None where it does not stand on its own."""
    import yaml

    try:
        value = yaml.load(block, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError:
        return None
    if not isinstance(value, dict) or len(value) != 1:
        return None
    return tuple(flatten(value).items())


def _scalar(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str)
