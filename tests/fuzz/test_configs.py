"""Command lines, sweep files and conditions of any text: a config, or an error in words."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from crucible.config.annotations import kinds, scalar_problem
from crucible.config.bounds import outside, read
from crucible.config.compose import compose
from crucible.config.source import module
from crucible.sweeps import conditions, definition
from crucible.sweeps.composition import open_composer
from tests.conftest import ROOT
from tests.fuzz.limits import fuzzed, told
from tests.fuzz.texts import json_values

KEYS = [
    "algo",
    "algo/loss",
    "algo.loss.eps_low",
    "seed",
    "steps",
    "optim.lr",
    "data",
    "+x",
    "++algo.y",
    "~data",
    "reward",
    "",
    "hydra.x",
]
VALUES = [
    "grpo",
    "1",
    "[1,2]",
    "{a: 1}",
    "null",
    "1,2",
    "range(1,3)",
    "glob(*)",
    "${seed}",
    "${",
    "'",
    '"x',
    "[",
    "???",
    "nan",
    "1e9",
    "choice(a,b)",
    "sort(1,2)",
    "int(x)",
    "\\",
    "",
]
overrides = st.builds(
    lambda key, sign, value: key + sign + value,
    st.sampled_from(KEYS) | st.text(max_size=6),
    st.sampled_from(["=", "=", "=", "", "@x="]),
    st.sampled_from(VALUES) | st.text(max_size=8),
)


@fuzzed(share=0.3)
@given(typed=st.lists(overrides, max_size=3))
@example(typed=["algo=1"])
@example(typed=["algo=[1,2]"])
@example(typed=["=3"])
@example(typed=["algo=\n"])
def test_any_command_line(typed: list[str]) -> None:
    assert "Traceback" not in told(lambda: compose(typed, ROOT))


@fuzzed()
@given(typed=overrides)
def test_any_override_of_a_sweep(typed: str) -> None:
    with open_composer(ROOT) as composer:
        assert "\n" not in told(lambda: (composer.parse(typed), composer.product([typed])))


words = st.sampled_from(
    ["seed", "algo.loss", "optim.lr", "1", "'a'", "[1, 2]", "None", "x.y", "seed()", "lambda: 1", "[a for a in b]"]
)
expressions = st.recursive(
    words,
    lambda inner: st.builds(
        "({} {} {})".format,
        inner,
        st.sampled_from(["+", "-", "*", "/", "==", "<", "in", "and", "or", "**", "is"]),
        inner,
    ),
    max_leaves=6,
)
CONFIG = {"seed": 1, "optim": {"lr": 0.1}, "algo": {"loss": {"beta": 1}}, "steps": 10}


@fuzzed(share=2)
@given(text=expressions | st.text(max_size=30))
@example("\x00")  # a ValueError of ast.parse before Python 3.11.4, then a SyntaxError
def test_any_condition(text: str) -> None:
    assert "\n" not in told(lambda: conditions.holds(text, CONFIG, {"algo.loss": "algo/loss/ppo"}))


@fuzzed()
@given(
    content=st.dictionaries(st.sampled_from(definition.KEYS), json_values, max_size=5).map(yaml.safe_dump)
    | st.text(max_size=80)
)
def test_any_sweep_file(tmp_path: Path, content: str) -> None:
    (tmp_path / "mine.yaml").write_bytes(content.encode("utf-8", "surrogatepass"))
    told(lambda: definition.load("mine", tmp_path))


@fuzzed()
@given(value=json_values, bounds=st.sampled_from(["> 0", ">= 1", "0 to 1", "> 0, <= 1", "< -2.5"]))
def test_any_value_for_a_number_with_bounds(value: Any, bounds: str) -> None:
    """Agrees with the bounds written out."""
    scope = module("crucible.run")
    assert scope is not None
    annotation = ast.parse(f"Annotated[float, {bounds!r}]", mode="eval").body
    problem = scalar_problem(value, kinds(annotation, scope))
    fits = isinstance(value, int | float) and not isinstance(value, bool)
    low_high = {
        "> 0": lambda x: x > 0,
        ">= 1": lambda x: x >= 1,
        "0 to 1": lambda x: 0 <= x <= 1,
        "> 0, <= 1": lambda x: 0 < x <= 1,
        "< -2.5": lambda x: x < -2.5,
    }[bounds]
    finite = fits and (isinstance(value, int) or abs(value) < float("inf"))
    assert (problem is None) == (finite and low_high(value))
    if fits and finite:
        assert (outside(value, bounds) is None) == low_high(value)
    assert read(bounds)
