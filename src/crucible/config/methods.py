"""The catalogue of methods, read from the code: every option of the algorithm axes and of the entropy axis.

Formula, source and differences come from the docstring of what the YAML names, defaults from the YAML, tests from
what imports it. Nothing is imported, so asking costs no torch.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from crucible.config.catalogue import Option, Setting, axes, settings
from crucible.config.signatures import Signature, read

ARXIV = re.compile(r"(?<![\d.])(\d{4}\.\d{4,5})(?![\d.])")
DIFFERS = "Differs from "


@dataclass(frozen=True)
class Method:
    """One YAML. `pieces`: of a preset, the option it chooses on each axis of its own."""

    axis: str
    name: str
    file: Path
    summary: str
    launch: tuple[str, ...]
    notes: str  # the rest of the YAML's header
    signature: Signature | None
    defaults: tuple[Setting, ...]
    pieces: Mapping[str, str] = field(default_factory=dict)
    tests: tuple[Path, ...] = ()

    @property
    def spelling(self) -> str:
        """How it is written on the command line."""
        return f"{self.axis}={self.name}"

    @property
    def docstring(self) -> str:
        return "" if self.pieces or self.signature is None else self.signature.docstring

    @property
    def formula(self) -> str:
        """The first block of the docstring, its lines under each other as they stand in the source."""
        first, *rest = _blocks(self.docstring)[0].splitlines() if self.docstring else [""]
        quotes = 3 if rest and all(line.startswith("   ") for line in rest) else 0
        return "\n".join([first, *(line[quotes:] for line in rest)])

    @property
    def body(self) -> str:
        """The blocks between the formula and the differences."""
        return "\n\n".join(b for b in _blocks(self.docstring)[1:] if not _tells_difference(b))

    @property
    def differs(self) -> str:
        """What the code does otherwise than its source, as the docstring or the YAML's header says."""
        told = [b for b in _blocks(self.docstring) if _tells_difference(b)]
        if DIFFERS in self.notes:
            told.append(self.notes[self.notes.index(DIFFERS) :])
        return "\n\n".join(told)

    @property
    def papers(self) -> tuple[str, ...]:
        """arXiv ids, the method's own first: the header's, then the docstring's."""
        return tuple(dict.fromkeys(ARXIV.findall(f"{self.summary}\n{self.notes}\n{self.docstring}")))


def methods(root: Path) -> list[Method]:
    """Every option of algo, algo/* and entropy, sorted by axis and name."""
    known = {axis: options for axis, options in axes(root).items() if _is_method_axis(axis)}
    tests = {file: _imported(file) for file in sorted((root / "tests").rglob("test_*.py"))}
    return [_method(root, axis, option, tests) for axis, options in known.items() for option in options]


def _is_method_axis(axis: str) -> bool:
    return axis.split("/")[0] in ("algo", "entropy")


def _method(root: Path, axis: str, option: Option, tests: Mapping[Path, frozenset[str]]) -> Method:
    header = [line.lstrip("# ").strip() for line in _header(option.file)]
    target = _target(option.file)
    signature = read(target) if target else None
    return Method(
        axis=axis,
        name=option.name,
        file=option.file.relative_to(root),
        summary=option.summary,
        launch=tuple(line for line in header if line.startswith("python ")),
        notes=" ".join(line for line in header[1:] if not line.startswith(("python ", "@package"))),
        signature=signature,
        defaults=tuple(settings(option.file)),
        pieces=dict(sorted(pieces(root, option.name).items())) if axis == "algo" else {},
        tests=tuple(_tests(root, axis, option.name, target, tests)),
    )


@functools.cache
def pieces(root: Path, preset: str) -> dict[str, str]:
    """What conf/algo/<preset>.yaml chooses on the axes under algo/, what it inherits included."""
    found: dict[str, str] = {}
    content = yaml.safe_load((root / "conf" / "algo" / f"{preset}.yaml").read_text(encoding="utf-8")) or {}
    for entry in content.get("defaults", ()):
        if isinstance(entry, str) and entry != "_self_":
            found |= pieces(root, entry)
        elif isinstance(entry, dict):
            found |= {key.removeprefix("override ").lstrip("/"): str(value) for key, value in entry.items()}
    return found


def _header(file: Path) -> Iterator[str]:
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            return
        yield line


def _target(file: Path) -> str:
    """The first target in a YAML, "" where it names none (`algo/auxiliary=none`)."""
    found = re.search(r"^\s*_target_:\s*(\S+)", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return found[1] if found else ""


def _tests(root: Path, axis: str, name: str, target: str, tests: Mapping[Path, frozenset[str]]) -> Iterator[Path]:
    """The files that mirror the source or are named after the option, then every other that imports the source."""
    if axis == "algo" or not target:
        return
    module = target.rpartition(".")[0]
    folder = root.joinpath("tests", *module.split(".")[1:-1])
    own = [folder / f"test_{stem}.py" for stem in (module.rpartition(".")[2], name)]
    others = [file for file, modules in tests.items() if module in modules]
    for file in dict.fromkeys([*(f for f in own if f.is_file()), *others]):
        yield file.relative_to(root)


def _imported(file: Path) -> frozenset[str]:
    """The modules a test imports from."""
    return frozenset(re.findall(r"^\s*from ([\w.]+) import\b", file.read_text(encoding="utf-8"), flags=re.MULTILINE))


def _blocks(docstring: str) -> list[str]:
    return re.split(r"\n\s*\n", _split_differences(docstring)) if docstring else []


def _split_differences(docstring: str) -> str:
    """A paragraph that ends in "Differs from ..." lines becomes two."""
    return re.sub(rf"(?<!\n)\n(?={DIFFERS})", "\n\n", docstring)


def _tells_difference(block: str) -> bool:
    return block.lstrip().startswith(DIFFERS)
