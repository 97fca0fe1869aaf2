"""The YAML files of data and sampler say what their targets take: every key, and the same defaults."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import pytest
import yaml

from crucible.data.questions import QuestionOptions, Questions

CONF = Path(__file__).parents[2] / "conf"
FILES = sorted([*(CONF / "data").glob("*.yaml"), *(CONF / "sampler").glob("*.yaml")])
AT_RUN_TIME = {"report", "cache_dir", "task", "seed"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_keys_and_defaults_are_those_of_the_target(file):
    node = yaml.safe_load(file.read_text())
    axes = {next(iter(entry)) for entry in node.pop("defaults", []) if isinstance(entry, dict)}
    module, _, name = node.pop("_target_").rpartition(".")
    parameters = dict(inspect.signature(getattr(importlib.import_module(module), name)).parameters)
    if parameters.pop("options", None):
        shared = inspect.signature(Questions).parameters
        parameters |= {key: shared[key] for key in get_type_hints(QuestionOptions)}
    expected = {
        key: "???" if p.default is inspect.Parameter.empty else p.default
        for key, p in parameters.items()
        if key not in AT_RUN_TIME | axes
    }
    assert node == expected
    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in parameters.values())


def test_the_shared_options_have_the_types_that_questions_takes():
    shared, taken = get_type_hints(QuestionOptions), get_type_hints(Questions.__init__)
    assert shared == {key: taken[key] for key in shared}
    own = {"name", "rows", "held_out", "report", "prompt_column", "return"}
    assert set(taken) - set(shared) == own


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_header_says_what_it_is_and_how_to_launch_it(file):
    lines = file.read_text().splitlines()
    assert lines[0].startswith("# ")
    assert any(line.startswith(f"# python train.py {file.parent.name}={file.stem}") for line in lines[1:3])


def test_no_data_module_loads_torch():
    modules = ", ".join(
        f"crucible.{folder}.{path.stem}"
        for folder in ("data", "samplers")
        for path in (CONF.parent / "src" / "crucible" / folder).glob("[a-z]*.py")
    )
    code = (
        f"import sys, {modules}; print({{'torch', 'datasets', 'transformers'}} & set(sys.modules) or 'none')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "none"
