"""Every YAML of these axes is its signature, with a header and a launch line."""

from __future__ import annotations

import inspect
from functools import partial
from pathlib import Path

import hydra.utils
import pytest
from omegaconf import OmegaConf

CONF = Path(__file__).parents[2] / "conf"
FOLDERS = ["algo/loss", "algo/advantage", "algo/aggregation", "algo/filter", "algo/auxiliary", "entropy"]
FOLDERS += ["algo/supervised", "algo/preference"]
FILES = sorted(path for folder in FOLDERS for path in (CONF / folder).glob("*.yaml"))


def nodes(path):
    """The targets of a file: the file itself, or its named parts."""
    node = OmegaConf.load(path)
    return [node] if "_target_" in node else list(node.values())


def ident(path):
    return f"{path.parent.name}/{path.stem}"


@pytest.mark.parametrize("path", FILES, ids=ident)
def test_header_says_what_it_is_and_how_to_launch_it(path):
    first, second, *_ = path.read_text().splitlines()
    assert first.startswith("# ")
    assert second.startswith("# python train.py ")
    assert path.stem in second
    assert max(map(len, path.read_text().splitlines())) <= 130


@pytest.mark.parametrize("path", FILES, ids=ident)
def test_keys_and_defaults_are_those_of_the_signature(path):
    for node in nodes(path):
        target = hydra.utils.get_object(node["_target_"])
        signature = inspect.signature(target)
        options = {name: p for name, p in signature.parameters.items() if p.kind is p.KEYWORD_ONLY and name != "seed"}
        expected = {name: p.default for name, p in options.items()}  # the run's seed comes from the program
        given = {name: value for name, value in node.items() if not name.startswith("_")}
        assert given.keys() == expected.keys()
        if path.stem == target.__module__.rpartition(".")[-1]:  # other YAMLs of a function are there for other numbers
            assert given == expected


@pytest.mark.parametrize("path", FILES, ids=ident)
def test_it_can_be_built(path):
    for node in nodes(path):
        part = hydra.utils.instantiate(node)
        assert isinstance(part, partial) == bool(node.get("_partial_"))
        assert callable(part) or any(hasattr(part, hook) for hook in ("select", "per_answer", "loss_term"))
