from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible.sandbox.compare import same_output, same_value
from crucible.sandbox.inside import values

KEYS = (
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.0, 1.0, 0.5, -0.0]) | st.sampled_from(["", "1"])
)
PLAIN = st.recursive(
    KEYS | st.sampled_from([1j, 1 + 0j, b"", b"1", 2**70, range(0), range(2), range(0, 3, 2), range(0, 4, 2)]),
    lambda inner: st.lists(inner, max_size=2) | st.tuples(inner) | st.dictionaries(KEYS, inner, max_size=2)
    | st.frozensets(KEYS, max_size=2) | st.sets(KEYS, max_size=2),
    max_leaves=4,
)  # fmt: skip


def encoded(value):
    return values.encode(value, values.refuse)


@given(PLAIN, PLAIN)
def test_it_is_pythons_equality(actual, expected):
    assert same_value(encoded(actual), encoded(expected)) == (actual == expected)


@given(PLAIN)
def test_a_value_is_itself(value):
    assert same_value(encoded(value), encoded(value))


@pytest.mark.parametrize(
    ("actual", "expected", "tolerance", "same"),
    [
        (float("nan"), float("nan"), 0, True),
        (0.0, float("nan"), 0.1, False),
        (float("nan"), 0.0, 0.1, False),
        ([0.1 + 0.2], [0.3], 0, False),
        ([0.1 + 0.2], [0.3], 1e-9, True),
        ({"a": (1.0000001,)}, {"a": (1,)}, 1e-6, True),
        ({1.0000001}, {1}, 1e-6, False),  # not inside sets
        (10**400, 1.0, 1e-6, False),
        (complex(1e308, 1e308), 1.0, 1e-6, False),
        ("1", 1, 1e9, False),
    ],
)
def test_tolerance_and_nan(actual, expected, tolerance, same):
    assert same_value(encoded(actual), encoded(expected), tolerance) is same


@pytest.mark.parametrize(
    "data", [[], ["set"], ["set", 3], ["dict", [[1]]], ["list", None], ["int", "zz"], ["range"], {}, [[]]]
)
@pytest.mark.parametrize("expected", [{1}, {1: 2}, [1], 5, range(3), "x", None, (1,)])
def test_garbage_is_equal_to_nothing(data, expected):
    assert not same_value(data, encoded(expected))


def test_colliding_numbers_cost_no_time():
    hostile = encoded({i * (2**61 - 1) for i in range(1, 1000)})
    hostile[1] *= 30
    started = time.perf_counter()
    assert not same_value(hostile, encoded({1, 2}))
    assert time.perf_counter() - started < 2


@pytest.mark.parametrize(
    ("actual", "expected", "same"),
    [
        ("1\n2\n", "1\n2", True),
        ("1 \n2\t\r\n\n", "1\n2", True),
        ("1\n", "1\n2\n", False),  # fewer lines than expected, all of them right
        ("1\n2\n3\n", "1\n2\n", False),
        ("1\n\n2", "1\n2", False),
        (" 1", "1", False),
        ("", "", True),
        ("", "1", False),
    ],
)
def test_output(actual, expected, same):
    assert same_output(actual, expected) is same
