"""Tests are counted one by one, and each once."""

from __future__ import annotations

import pytest

from crucible.sandbox import SuiteError
from crucible.verification.counted import counted


def test_repetitions_count_once_however_they_are_written():
    tests, support = counted(["assert f(1)==2", "assert f( 1 ) == 2", "assert f(2) == 3; assert f(1) == 2"])
    assert tests == ["assert f(1) == 2", "assert f(2) == 3"]
    assert support == ""


def test_text_is_split_and_constants_become_support():
    tests, support = counted("import math\nLIMIT = 3\nassert f(LIMIT) == 1\nassert f(0) == math.pi", "x = 1")
    assert tests == ["assert f(LIMIT) == 1", "assert f(0) == math.pi"]
    assert support == "x = 1\nimport math\nLIMIT = 3"


@pytest.mark.parametrize("text", ["def check(candidate):\n    assert candidate(1) == 2", "x = f(1)\nassert x == 2"])
def test_what_belongs_together_is_left_together(text):
    assert counted(text, "s") == (text, "s")


def test_inputs_and_outputs():
    tests, _ = counted({"inputs": ["1\n", "2\n", "1\n"], "outputs": ["a", "b", "a"]})
    assert tests == {"inputs": ["1\n", "2\n"], "outputs": ["a", "b"]}


@pytest.mark.parametrize("tests", [["assert f(1) =="], 3, {"inputs": ["1"]}, ["assert f(1) == 2", 4]])
def test_what_is_no_test_is_refused(tests):
    with pytest.raises(SuiteError):
        counted(tests)


def test_no_tests_are_no_tests():
    assert counted([]) == ([], "")
    assert counted("") == ([], "")
