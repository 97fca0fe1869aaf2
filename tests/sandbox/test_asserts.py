"""Python tests against programs in another process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crucible.sandbox import Asserts, Limits, Sandbox, SuiteError
from crucible.sandbox.simple import as_calls

BASE = """
import math
class Stack:
    kind = "stack"
    def __init__(self, *items): self.items = list(items)
    def push(self, x): self.items.append(x); return self
    def pop(self): return self.items.pop()
    def __len__(self): return len(self.items)
    def __iter__(self): return iter(self.items)
    def __getitem__(self, n): return self.items[n]
    def __str__(self): return "stack of " + str(len(self.items))
class Trouble(ValueError): pass
LIMIT = 7
def add(a, b=1): return a + b
def twice(g, x): return g(g(x))
def adder(n): return lambda x: x + n
def count():
    n = 0
    while True: yield n; n += 1
def sort(x): x.sort()
def empty(x): x.clear(); return []
def fail(kind): raise kind("no")
def trouble(): raise Trouble("own")
def root(x): return math.sqrt(x)
def total(stack): return sum(stack.items)
def same(x): return x
"""


@pytest.fixture(scope="module")
def box() -> Iterator[Sandbox]:
    with Sandbox(limits=Limits(wall_seconds=20)) as made:
        yield made


def outcomes(box: Sandbox, tests: str, program: str = BASE, **options: str) -> list[str]:
    return [test.outcome for test in box.check(program, Asserts(tests, **options)).tests]


@pytest.mark.parametrize(
    "tests",
    [
        "assert add(2, b=3) == 5 and add(1) == 2",
        "s = Stack(1)\ns.push(2).push(3)\nassert s.pop() == 3 and len(s) == 2 and list(s) == [1, 2] and s[0] == 1",
        "s = Stack()\ns.items = [4]\nassert s.items == [4] and Stack.kind == 'stack' and str(s) == 'stack of 1'",
        "assert total(Stack(1, 2)) == 3",  # an object of the program goes back to it
        "assert [total(s) for s in (Stack(1), Stack(2))] == [1, 2]",
        "assert twice(lambda x: x * 2, 3) == 12",
        "assert twice(lambda x: add(x, 10), 3) == 23",  # the program calls the test, which calls the program
        "assert adder(3)(4) == 7",
        "import itertools\nassert list(itertools.islice(count(), 3)) == [0, 1, 2]",
        "x = [3, 1]\nsort(x)\nassert x == [1, 3]",  # called for its effect
        "try:\n    fail(KeyError)\n    assert False\nexcept KeyError as e:\n    assert 'no' in str(e)",
        "try:\n    trouble()\nexcept ValueError as e:\n    assert 'own' in str(e)\nelse:\n    assert False",
        "def test_one():\n    assert add(1) == 2",
        "def check(candidate):\n    assert candidate(1) == 2\ncheck(add)",
        "assert LIMIT == 7",
        "assert math.isclose(root(2), 2 ** 0.5)",  # a standard module the tests forgot to import
        "assert same({1: (2, {3}, b'x', None)}) == {1: (2, {3}, b'x', None)}",
        "assert same(int) is int",
    ],
)
def test_what_can_be_said(box: Sandbox, tests: str) -> None:
    report = box.check(BASE, Asserts(tests))
    assert report.passed == report.total > 0, report


@pytest.mark.parametrize(
    ("tests", "expected"),
    [
        ("assert add(1) == 3", "failed"),
        ("x = [3, 1]\nassert empty(x) == sorted(x)", "failed"),  # its grip on x is not the tests' x
        ("assert Stack(1) == Stack(1)", "failed"),  # an own == is not asked
        ("assert missing(1) == 2", "error"),
        ("assert add() == 2", "error"),
        ("assert Stack() < 3", "error"),
        ("assert Stack() + 3 == 3", "error"),
        ("setup = missing()\nassert add(1) == 2", "error"),
        ("assert add(1) == 2\nmissing()", "error"),  # the suite does not reach its end
    ],
)
def test_what_does_not_hold(box: Sandbox, tests: str, expected: str) -> None:
    assert outcomes(box, tests) == [expected]


def test_each_statement_is_a_test(box: Sandbox) -> None:
    tests = "import random\ny = 1\nassert add(1) == 2\nfor n in range(3):\n    assert add(n) == n\nassert add(y) == 2"
    assert outcomes(box, tests) == ["passed", "failed", "passed"]
    check = "def check(f):\n    x = 2\n    assert f(x) == 3\n    assert f(x) == 4\n    assert f(0) == 1"
    assert outcomes(box, check, entry_point="add") == ["passed", "failed", "passed"]
    whole = "def check(f):\n    if f(1) == 0: return\n    assert f(2) == 4"
    assert outcomes(box, whole, entry_point="add") == ["failed"]


@pytest.mark.parametrize(
    ("program", "tests", "options"),
    [
        ("def abs(x): return 0\ndef f(x): return 5", "assert abs(f(1) - 1) < 1e-6", {}),
        ("def isclose(*a, **k): return True\ndef f(x): return 5", "from math import *\nassert isclose(f(1), 1)", {}),
        ("def poly(x): return 0\ndef f(): return 9", "assert poly(f()) == 0", {"support": "def poly(x): return x - 1"}),
        ("math = 3\ndef f(x): return 5", "assert math.floor(f(1)) == 1", {}),
        ("def helper(x): return 1\ndef f(x): return 5", "def helper(x): return x\nassert helper(f(1)) == 1", {}),
        ("class f(int):\n    def __new__(cls, x): return f.boss\nf.boss = int.__new__(f, 3)", "assert f(1) == 1", {}),
        ("def g(x): return 1\nf = ValueError", "assert g(f()) == 1", {}),  # not even "no verdict"
        ("def g(x): return 1\nf = object", "assert g(f()) == 1", {}),
    ],
)
def test_what_the_tests_use_is_theirs(box: Sandbox, program: str, tests: str, options: dict[str, str]) -> None:
    assert set(outcomes(box, tests, program, **options)) <= {"failed", "error"}


def test_a_program_may_have_the_name_of_a_builtin(box: Sandbox) -> None:
    assert outcomes(box, "assert sum(10, 15) == 6", "def sum(a, b): return 6") == ["passed"]
    assert outcomes(box, "assert (sum(10, 15)) == len([1]) + 5", "def sum(a, b): return 6\ndef len(x): return 0") == [
        "passed"
    ]


def test_a_program_that_ends_is_started_anew_for_the_next_test(box: Sandbox) -> None:
    program = "import os\nprint('loaded')\ndef f(x):\n    if x == 1: os._exit(3)\n    return x"
    tests = "k = 0\nassert f(1) == 1 + k\nassert f(2) == 2"
    assert outcomes(box, tests, program) == ["error", "passed"]
    tests = "t = Stack(1)\nassert die() == 1\nassert len(t) == 1\nassert add(1) == 2"  # t has gone with its process
    assert outcomes(box, tests, BASE + "def die(): __import__('os')._exit(0)") == ["error", "error", "passed"]


@pytest.mark.parametrize(
    "tests",
    [
        "",
        "x = 1",
        "add(1)",
        "assert",
        "def f(:",
        "class A: pass\nassert add(A()) == 1",
        "import os\nassert os._exit(0)",
    ],
)
def test_a_suite_that_judges_nobody_is_refused(box: Sandbox, tests: str) -> None:
    with pytest.raises(SuiteError):
        box.check(BASE, Asserts(tests))


@pytest.mark.parametrize(
    ("tests", "options", "simple"),
    [
        ("assert f(1, k=[2]) == {3: (4,)}\nassert f(-1) == None", {}, True),
        ("META = {'a': 1}\ndef check(c):\n    assert c(1) == 2\n    assert c(2) == 3", {"entry_point": "f"}, True),
        ("assert f(1) == 2, 'why'", {}, True),
        ("assert f(1) != 2", {}, False),
        ("assert f(1) == 2 == 2", {}, False),
        ("assert f(x) == 2", {}, False),
        ("assert f(*[1]) == 2", {}, False),
        ("assert f(1) == 2\nassert g(1) == 2", {}, False),
        ("assert len([1]) == f(1)", {}, False),
        ("def f(x): return 2\nassert f(1) == 2", {}, False),
        ("assert f(1) == 2", {"support": "x = 1"}, False),
        ("assert abs(-1) == 1\nassert f(1) == 2", {}, False),
    ],
)
def test_which_suites_are_nothing_but_calls(tests: str, options: dict[str, str], simple: bool) -> None:
    assert (as_calls(Asserts(tests, **options)) is not None) is simple


def test_both_ways_agree(box: Sandbox) -> None:
    tests = "assert f(1) == 2\nassert f(2) == (3,)\nassert f(0) == [1, {'a': 2.0}]\nassert f('a') == 1"
    program = "def f(x): return {1: 2, 2: [3], 0: [1, {'a': 2}]}[x]"
    simple = box.check(program, Asserts(tests))
    general = box.check(program, Asserts("k = str(0)\n" + tests))  # a call keeps it from being simple
    assert [(t.name, t.outcome) for t in simple.tests] == [(t.name, t.outcome) for t in general.tests]
    assert [t.outcome for t in simple.tests] == ["passed", "failed", "passed", "error"]
