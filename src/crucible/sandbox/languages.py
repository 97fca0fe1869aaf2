"""A language is a short YAML file (after Agnostics, arXiv 2508.04865): how a program is named, compiled and executed.

Differs from the paper: `install` is left to the machine; a command that is missing is refused by name.
"""

from __future__ import annotations

import dataclasses
import functools
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from crucible.errors import UserError, nearest

FOLDER = Path(__file__).parent / "languages"
PATH = "/usr/local/bin:/usr/bin:/bin"  # of the sandbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """Commands are lists of words, run in the scratch folder; stdin and stdout are the whole protocol."""

    name: str
    filename: str  # what the program is saved as
    execute: Sequence[str]
    version: Sequence[str]  # prints the version
    extension: str
    prompt: str  # put before a task to ask for this language
    compile: Sequence[str] = ()
    artifact: str = ""  # the file that `compile` makes and `execute` needs; the only one that is kept
    address_space: bool = True  # limit address space; False for runtimes that reserve far more than they use
    warm: bool = False  # run by the sandbox's own interpreter
    readable: Sequence[str] = ()  # further paths of this machine to show, where they exist

    def require(self) -> None:
        """Raise UserError naming a command that is not on this machine."""
        for command in [self.execute[0], *self.compile[:1]] if not self.warm else []:
            if "/" not in command and not shutil.which(command, path=PATH):
                raise UserError(
                    f'sandbox language "{self.name}" needs the command "{command}" in {PATH}: it is not installed there'
                )


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


@functools.cache
def load(name: str) -> Language:
    """The language of languages/<name>.yaml, or of a YAML file given by its path.

    Errors: UserError for an unknown language or a file that does not describe one.
    """
    import yaml

    path = Path(name) if name.endswith(".yaml") else FOLDER / f"{name}.yaml"
    if not path.is_file():
        raise UserError(f'unknown sandbox language "{name}"{nearest(name, names())}; there are {", ".join(names())}')
    try:
        settings = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    known = {field.name: field for field in dataclasses.fields(Language)}
    if not isinstance(settings, dict):
        raise UserError(f"{path}: must be a mapping with {', '.join(known)}")
    for key in settings:
        if key not in known or key == "name":
            raise UserError(f'{path}: unknown key "{key}"{nearest(str(key), known)}')
    missing = [n for n, f in known.items() if f.default is dataclasses.MISSING and n != "name" and n not in settings]
    if missing:
        raise UserError(f"{path}: {missing[0]} is missing")
    for key, value in settings.items():
        _check(path, key, value, known[key].type)
    if bool(settings.get("compile")) != bool(settings.get("artifact")):
        raise UserError(f"{path}: compile and artifact belong together")
    if settings.get("warm") and path != FOLDER / "python.yaml":
        raise UserError(f"{path}: warm is for the language python alone")
    return Language(name=path.stem, **settings)


def _check(path: Path, key: str, value: object, wanted: object) -> None:
    words = str(wanted).startswith("Sequence")
    right = isinstance(value, list) and all(isinstance(word, str) for word in value) if words else (
        isinstance(value, bool) if wanted == "bool" else isinstance(value, str) and bool(value)
    )  # fmt: skip
    if not right:
        kind = "a list of words" if words else "true or false" if wanted == "bool" else "text"
        raise UserError(f"{path}: {key} must be {kind}, not {value!r}")
    if key in ("filename", "artifact") and "/" in str(value):
        raise UserError(f"{path}: {key} must be a plain file name, not {value!r}")
