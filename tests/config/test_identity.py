"""Equal runs have equal ids, different runs different ones."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crucible.config.identity import COSMETIC, differences, essential, run_id

CONFIG = {"seed": 3, "algo": {"beta": 1.0, "names": ["a", "b"], "on": True}, "steps": 10}


def shuffled(value: object) -> object:
    if isinstance(value, dict):
        return {key: shuffled(value[key]) for key in reversed(list(value))}
    return value


def test_key_order_and_number_form_do_not_matter() -> None:
    assert run_id(CONFIG) == run_id(shuffled(CONFIG))
    assert run_id(CONFIG) == run_id({**CONFIG, "algo": {**CONFIG["algo"], "beta": 1}, "steps": 10.0})
    assert differences(CONFIG, {**CONFIG, "steps": 10.0}) == []


@pytest.mark.parametrize("name", COSMETIC)
def test_cosmetics_do_not_matter(name: str) -> None:
    assert run_id({**CONFIG, name: "anything"}) == run_id(CONFIG)
    assert differences({**CONFIG, name: "anything"}, CONFIG) == []


@pytest.mark.parametrize(
    "other",
    [
        {**CONFIG, "seed": 4},
        {**CONFIG, "algo": {**CONFIG["algo"], "beta": 1.0000001}},
        {**CONFIG, "algo": {**CONFIG["algo"], "on": 1}},
        {**CONFIG, "algo": {**CONFIG["algo"], "names": ["b", "a"]}},
        {**CONFIG, "algo": {**CONFIG["algo"], "names": None}},
        {**CONFIG, "extra": {}},
        {**CONFIG, "algo": {**CONFIG["algo"], "logger": "a cosmetic name, but not at the top"}},
    ],
)
def test_anything_else_matters(other: dict) -> None:
    assert run_id(other, prefix="") != run_id(CONFIG, prefix="")
    assert len(differences(CONFIG, other)) == 1


def test_the_prefix() -> None:
    digest = run_id(CONFIG, prefix="")
    assert run_id(CONFIG) == f"seed3-{digest}"
    assert run_id(CONFIG, prefix="mini") == f"mini-{digest}"
    assert run_id({"steps": 1}) == run_id({"steps": 1}, prefix="")


def test_the_id_is_the_same_tomorrow() -> None:
    """A change here makes every unfinished run start again: change it only with that in mind."""
    assert run_id(CONFIG) == "seed3-cb3cc0891d"


def test_differences_are_lines_for_people() -> None:
    other = {"seed": 3, "algo": {"beta": 0.5, "names": ["a"], "new": "x"}, "steps": 10}
    assert differences(CONFIG, other) == [
        "algo.beta: 1 -> 0.5",
        'algo.names: ["a", "b"] -> ["a"]',
        'algo.new: (not set) -> "x"',
        "algo.on: true -> (not set)",
    ]


names = st.text("abcd_", min_size=1, max_size=3)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text("ab 1é", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
configs = st.dictionaries(names, plain, max_size=3)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(configs, configs)
def test_no_difference_means_the_same_id(a: dict, b: dict) -> None:
    assert (differences(a, b) == []) == (run_id(essential(a)) == run_id(essential(b)))
    assert run_id(a) == run_id(shuffled(a))
