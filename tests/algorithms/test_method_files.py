"""A method is one function, one YAML and one test: none of the three is missing, whichever one starts from."""

from __future__ import annotations

import ast
import re

import pytest
from rollout_cases import CONF, SOURCE, methods, node

AXES = {
    "advantages": "algo/advantage",
    "aggregation": "algo/aggregation",
    "filters": "algo/filter",
    "auxiliary": "algo/auxiliary",
    "shaping": "algo/shaping",
}
SHARED = {"__init__", "masked", "change"}  # helpers of a folder
NO_METHOD = {"keep_all"}  # does nothing, so it has no source
TESTS = CONF.parent / "tests" / "algorithms"
FILES = [
    (folder, path.stem) for folder in AXES for path in sorted((SOURCE / folder).glob("*.py")) if path.stem not in SHARED
]
YAMLS = [(folder, name) for folder, axis in AXES.items() for name in methods(axis)]


@pytest.mark.parametrize(("folder", "name"), FILES)
def test_every_source_file_has_a_yaml_and_a_test_with_an_oracle(folder, name):
    assert (CONF / AXES[folder] / f"{name}.yaml").is_file()
    tree = ast.parse((TESTS / folder / f"test_{name}.py").read_text())
    functions = {item.name: item for item in tree.body if isinstance(item, ast.FunctionDef)}
    assert "oracle" in functions
    rest = [item for item in tree.body if item is not functions["oracle"]]
    assert any(isinstance(n, ast.Name) and n.id == "oracle" for item in rest for n in ast.walk(item)), "never used"
    used = {n.id for n in ast.walk(functions["oracle"]) if isinstance(n, ast.Name)}
    assert name not in used, "the oracle calls what it should check"


@pytest.mark.parametrize(("folder", "name"), FILES)
def test_every_method_says_where_it_comes_from(folder, name):
    tree = ast.parse((SOURCE / folder / f"{name}.py").read_text())
    public = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef) and not n.name.startswith("_")]
    documented = [ast.get_docstring(n) for n in public]
    assert all(documented)
    sources = re.compile(r"\d{4}\.\d{4,5}|verl|TRL|Williams 1992")
    assert name in NO_METHOD or any(sources.search(text) for text in documented)


@pytest.mark.parametrize(("folder", "name"), YAMLS)
def test_every_yaml_names_a_function_of_its_own_folder(folder, name):
    raw = node(AXES[folder], name)
    raw = raw if "_target_" in raw else raw[name]
    assert raw["_target_"].startswith(f"crucible.algorithms.{folder}.")
    assert (TESTS / folder / f"test_{raw['_target_'].split('.')[3]}.py").is_file()
