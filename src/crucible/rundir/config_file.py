"""config.yaml: the resolved config of a run, ready to be run again."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from crucible.errors import UserError
from crucible.rundir.atomic import write_text
from crucible.rundir.status import one_line

FILE = "config.yaml"
# Run again, the file is Hydra's primary config: without this it would make outputs/<date>/ folders.
HYDRA = """\
hydra:
  run: {dir: .}
  sweep: {dir: ., subdir: .}
  output_subdir: null
  job: {chdir: false}
  job_logging: {version: 1, root: {level: WARNING, handlers: []}, disable_existing_loggers: false}
  hydra_logging: {version: 1, root: {level: WARNING, handlers: []}, disable_existing_loggers: false}
"""


def write_config(path: Path, config: Mapping[str, Any], *, command: str, home: Path | None = None) -> None:
    """Write `config` with the commands that made it and that make it again.

    `home` is the folder the file will stand in, where that is not yet `path.parent`. Errors: UserError for half
    characters (of a command line that is not UTF-8).
    """
    import yaml
    from omegaconf import OmegaConf
    from omegaconf._utils import get_omega_conf_dumper

    folder = shlex.quote(str(home or path.parent))
    plain = {name: value for name, value in config.items() if name != "hydra"}
    values = OmegaConf.to_container(OmegaConf.create(_escape(plain)))
    texts = list(_texts(values))
    if half := next((text for text in texts if any("\ud800" <= c <= "\udfff" for c in text)), None):
        raise UserError(f"{half!r} in the config holds half a character, which no file can keep; write it in UTF-8")
    # as OmegaConf.to_yaml, but YAML's reader folds some line ends: those are escaped
    readable = all(c.isprintable() or c in "\n\t" for text in texts for c in text)
    body = yaml.dump(
        values, Dumper=get_omega_conf_dumper(), default_flow_style=False, allow_unicode=readable, sort_keys=False
    )
    header = (
        "# The resolved config of this run.\n"
        f"# Made by: {one_line(command)}\n"
        f"# Again:   python train.py --config-dir {folder} --config-name {path.stem}\n"
    )
    write_text(path, header + body + HYDRA)


def read_config(path: Path) -> dict[str, Any]:
    """The config that was given to `write_config`. Errors: UserError when the file is damaged."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        value = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise UserError(f"{path} cannot be read: {one_line(error)}") from error
    if not isinstance(value, dict):
        raise UserError(f"{path} cannot be read: it holds no mapping")
    value.pop("hydra", None)
    return _unescape(value)


def _texts(value: Any) -> Iterator[str]:
    """Every text in a config, keys too."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from (*_texts(key), *_texts(item))
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value


def _escape(value: Any) -> Any:
    """A literal "${" must not become an interpolation when the file is run again."""
    if isinstance(value, Mapping):
        return {k: _escape(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_escape(v) for v in value]
    return re.sub(r"(\\*)\$\{", r"\1\1\\${", value) if isinstance(value, str) else value


def _unescape(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _unescape(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_unescape(v) for v in value]
    if not isinstance(value, str):
        return value
    return re.sub(r"(\\+)\$\{", lambda m: "\\" * (len(m[1]) // 2) + "${", value)
