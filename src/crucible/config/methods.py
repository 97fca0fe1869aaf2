"""The catalogue of methods, read from the code: every option of the algorithm axes, of the entropy axis, every reward.

Formula, source and differences come from the docstring of what the YAML names, defaults from the YAML, tests from
what imports it, studies from the stored results. Nothing is imported, so asking costs no torch.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from crucible.config.catalogue import Option, axes, settings
from crucible.config.methods_entry import FORMULA_FROM, Method
from crucible.config.methods_studies import TARGET, Ran, chosen, part_ran, preset_ran, studies
from crucible.config.signatures import read


def methods(root: Path) -> list[Method]:
    """Every option of algo, algo/* and entropy, sorted by axis and name."""
    return _of_axes(root, [axis for axis in axes(root) if _is_method_axis(axis)])


def rewards(root: Path) -> list[Method]:
    """Every option of reward, sorted by name; what stands in folders below it belongs to one of them."""
    return _of_axes(root, ["reward"])


def _of_axes(root: Path, names: Iterable[str]) -> list[Method]:
    known = axes(root)
    tests = [_Test.of(file) for file in sorted((root / "tests").rglob("test_*.py"))]
    found = [_method(root, axis, option, tests) for axis in names for option in known.get(axis, ())]
    return _with_studies(root, found)


def _with_studies(root: Path, found: list[Method]) -> list[Method]:
    """The same, each with the studies it was run in."""
    done, sweeps = studies(root), chosen(root)
    seen = {
        value for study in done for _, config in study.runs for key, value in config.items() if key.endswith(TARGET)
    }
    named = {name for sweep in sweeps for name in sweep.presets}
    rivals: dict[str, list[Method]] = {}
    for method in found:
        rivals.setdefault(method.target, []).append(method)

    def ran(method: Method) -> tuple[Ran, ...]:
        if method.pieces:
            if method.name not in named:
                return ()
            return preset_ran(done, sweeps, method.name, expected(root, found, method.name))
        if method.target not in seen:
            return ()
        others = [other.options for other in rivals[method.target] if other is not method]
        own = method.name == method.target.split(".")[-2]
        if not own and any(
            o.options == method.options and o.name == o.target.split(".")[-2] for o in rivals[method.target]
        ):
            return ()  # the same as the function's own YAML: it differs in the aggregation it is meant for
        return part_ran(done, method.place, method.target, method.options, others, own=own)

    return [replace(method, ran=ran(method)) for method in found]


def expected(root: Path, found: Iterable[Method], preset: str) -> dict[str, Any]:
    """The config that a preset stands for: its pieces' targets and options, then what it and those before it set."""
    options: dict[str, Any] = {}
    by_spelling = {method.spelling: method for method in found}
    for axis, option in pieces(root, preset).items():
        piece = by_spelling.get(f"algo/{axis}={option}")  # none for pieces of other axes, as a reward model's recipe
        if piece is not None and piece.target:
            options |= {f"{piece.place}.{TARGET}": piece.target, **piece.options}
    for ancestor in _line(root, preset):
        options |= {
            f"algo.{s.path}": yaml.safe_load(s.value) for s in by_spelling[f"algo={ancestor}"].defaults if s.value
        }
    return options


def _line(root: Path, preset: str) -> list[str]:
    """The presets that this one inherits from, the oldest first, and itself."""
    content = yaml.safe_load((root / "conf" / "algo" / f"{preset}.yaml").read_text(encoding="utf-8")) or {}
    parents = [entry for entry in content.get("defaults", ()) if isinstance(entry, str) and entry != "_self_"]
    return [*(name for parent in parents for name in _line(root, parent)), preset]


def _is_method_axis(axis: str) -> bool:
    return axis.split("/")[0] in ("algo", "entropy")


def _method(root: Path, axis: str, option: Option, tests: Sequence[_Test]) -> Method:
    header = [line.lstrip("# ").strip() for line in _header(option.file)]
    target = _target(option.file)
    signature = read(target) if target else None
    return Method(
        axis=axis,
        name=option.name,
        file=option.file.relative_to(root),
        summary=option.summary,
        launch=tuple(line for line in header if line.startswith("python ")),
        notes=" ".join(line for line in header[1:] if not line.startswith(("python ", "@package", FORMULA_FROM))),
        formula_from=next((line.removeprefix(FORMULA_FROM) for line in header if line.startswith(FORMULA_FROM)), ""),
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


class _Test(NamedTuple):
    """A test file, its text and the modules it imports from."""

    file: Path
    text: str
    modules: frozenset[str]

    @classmethod
    def of(cls, file: Path) -> _Test:
        text = file.read_text(encoding="utf-8")
        return cls(file, text, frozenset(re.findall(r"^\s*from ([\w.]+) import\b", text, flags=re.MULTILINE)))


def _tests(root: Path, axis: str, name: str, target: str, tests: Sequence[_Test]) -> Iterator[Path]:
    """The files that mirror the source or are named after the option, then every other that imports the source: those
    of the mirrored folder first, then by how often they say its name and how little else they import. Of a reward that
    is a choice of parts (reasoning_sql, of Weighted) the files that choose it come before all."""
    if axis == "algo" or not target:
        return
    module, _, symbol = target.rpartition(".")
    folder, stem = root.joinpath("tests", *module.split(".")[1:-1]), module.rpartition(".")[2]
    own = [folder / f"test_{s}.py" for s in (stem, name)]
    chosen = f'"{axis}={name}"' if axis == "reward" and name != stem else None
    choosing = [t.file for t in tests if chosen and folder in t.file.parents and chosen in t.text]

    def place(test: _Test) -> tuple[bool, int, int]:
        named = len(re.findall(rf"\b{symbol}\b", test.text))
        return folder not in test.file.parents, -named, len(test.modules)

    others = [t.file for t in sorted((t for t in tests if module in t.modules), key=place)]
    for file in dict.fromkeys([*choosing, *(f for f in own if f.is_file()), *others]):
        yield file.relative_to(root)
