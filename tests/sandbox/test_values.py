from __future__ import annotations

import contextlib
import json
from collections import Counter, namedtuple
from enum import IntEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible.sandbox.inside import values

KEYS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
PLAIN = st.recursive(
    KEYS | st.complex_numbers(allow_nan=False),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(KEYS, inner) | st.frozensets(KEYS),
    max_leaves=15,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def through(value):
    return values.decode(json.loads(json.dumps(values.encode(value, values.refuse))), refused)


def refused(data):
    raise ValueError


@given(PLAIN)
def test_plain_values_arrive_as_they_were(value):
    back = through(value)
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize("value", [-(2**63), 2**63, 1e999, -0.0, {1, 2}, range(3, 9, 2), b"\xff", int, "\ud800"])
def test_odd_values(value):
    assert through(value) == value


def test_a_number_of_five_thousand_digits():
    assert through(10**5000) == 10**5000


class Liar(str):
    def __eq__(self, other):
        return True

    __hash__ = str.__hash__


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Counter("aab"), {"a": 2, "b": 1}),
        (namedtuple("P", "x y")(1, 2), (1, 2)),
        (IntEnum("E", "A B").B, 2),
        (bytearray(b"x"), b"x"),
    ],
)
def test_subclasses_travel_as_what_is_beneath_them(value, plain):
    assert through(value) == plain
    assert type(through(value)) is type(plain)


def test_an_own_equality_does_not_travel():
    assert through(Liar("a")) != "b"


@given(JSON)
def test_data_that_nobody_encoded_is_refused_and_nothing_else(data):
    with contextlib.suppress(ValueError, TypeError):  # TypeError: a set of lists
        values.decode(data, refused)


@pytest.mark.parametrize("value", [object(), lambda: 0, iter([]), ...])
def test_what_is_not_plain_is_refused(value):
    with pytest.raises(TypeError):
        through(value)
