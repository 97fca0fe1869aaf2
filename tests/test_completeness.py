"""A method is one function, one YAML and one test: nothing is missing on any side."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

from crucible.config.methods import methods
from crucible.config.methods_entry import ARXIV, Method
from crucible.config.needs import ATTRIBUTE
from crucible.parts import locate
from tests.conftest import ROOT

FOUND = methods(ROOT)
PIECES = [m for m in FOUND if not m.pieces and m.signature is not None and m.axis != "algo"]
NOTHING = {"none", "keep_all"}  # options that do nothing have no paper
FRAMEWORKS = r"verl|TRL|ROLL|OpenRLHF|slime|Trinity|Klear|LUFFY|[A-Z]\w+(?: et al\.)?,? \(?(?:19|20)\d\d"
SOURCE = ROOT / "src" / "crucible"
CHOSEN = {m.signature.name for m in PIECES if m.signature}
WORDS = Counter(word for file in SOURCE.rglob("*.py") for word in re.findall(r"\w+", file.read_text()))

EVERY_PIECE = pytest.mark.parametrize("piece", PIECES, ids=lambda m: m.spelling)


def folders() -> list[Path]:
    """The folders that hold methods: those of everything a YAML names."""
    return sorted({m.signature.file.parent for m in PIECES if m.signature})


def definitions() -> list[tuple[Path, str]]:
    """Every public function and class of the method folders."""
    return [
        (file, node.name)
        for folder in folders()
        for file in sorted(folder.glob("*.py"))
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    ]


def words(node: ast.AST) -> set[str]:
    """The names that code reads or writes."""
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


def target(method: Method) -> str:
    assert method.signature is not None
    return method.signature.target


def test_there_are_methods_in_every_folder() -> None:
    assert {f.relative_to(SOURCE).as_posix() for f in folders()} >= {
        "entropy", "algorithms/losses", "algorithms/advantages", "algorithms/aggregation", "algorithms/filters",
        "algorithms/auxiliary",
    }  # fmt: skip
    assert len(PIECES) > 25


@EVERY_PIECE
def test_what_a_yaml_names_exists(piece: Method) -> None:
    assert callable(locate(target(piece)))


@EVERY_PIECE
def test_it_has_a_docstring_with_a_source(piece: Method) -> None:
    told = f"{piece.summary}\n{piece.notes}\n{piece.docstring}"
    assert piece.docstring, f"{target(piece)} has no docstring"
    if piece.name not in NOTHING:
        assert ARXIV.search(told) or re.search(FRAMEWORKS, told), f"{target(piece)} names no paper and no code"


@EVERY_PIECE
def test_it_has_a_test_with_an_oracle_of_its_own(piece: Method) -> None:
    """In the test called after its file, where there is one; used, and not calling what it should check."""
    module, name = target(piece).split(".")[-2:]
    tests = [ROOT / test for test in piece.tests]
    assert tests, f"no test is called after {piece.name} or imports {target(piece)}"
    trees = [ast.parse(t.read_text()) for t in [t for t in tests if t.stem == f"test_{module}"] or tests]
    found = [(n, t) for t in trees for n in t.body if isinstance(n, ast.FunctionDef) and n.name.startswith("oracle")]
    assert found, f"none of {[t.name for t in tests]} has an oracle"
    for oracle, tree in found:
        rest = [item for item in tree.body if item is not oracle]
        assert oracle.name in {n for item in rest for n in words(item)}, "never used"
        assert name not in words(oracle), "it calls what it should check"


@EVERY_PIECE
def test_its_function_is_in_the_folder_of_its_axis(piece: Method) -> None:
    folder = target(piece).split(".")[-3]
    assert piece.axis.rpartition("/")[2] in (folder, folder.removesuffix("s"), folder.removesuffix("es"))


@pytest.mark.parametrize(
    ("file", "name"), definitions(), ids=lambda x: x.relative_to(SOURCE).as_posix() if isinstance(x, Path) else x
)
def test_every_function_and_class_of_a_method_folder_can_be_chosen_or_is_used(file: Path, name: str) -> None:
    assert name in CHOSEN or WORDS[name] > 1, f"{file.name}: no YAML names {name}, and no code uses it"


@EVERY_PIECE
def test_its_conditions_name_what_exists(piece: Method) -> None:
    """@needs(aggregation=["token_mean"]): there is such an option, by YAML or by function."""
    for word, wanted in getattr(locate(target(piece)), ATTRIBUTE, {}).items():
        options = [m for m in FOUND if m.axis in (word, f"algo/{word}")]
        names = {m.name for m in options} | {target(m).rpartition(".")[2] for m in options if m.signature}
        if options:
            assert set(wanted) <= names, f"{target(piece)} needs {word}={wanted}; there are {sorted(names)}"
