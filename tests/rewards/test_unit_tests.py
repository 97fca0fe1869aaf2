from __future__ import annotations

import pytest

from crucible.errors import UserError
from crucible.rewards.runtime.runtime import Runtime
from crucible.rewards.unit_tests import unit_tests
from tests.rewards.cases import completions, prompt, scored

SQUARE = "Here it is:\n```python\ndef f(x):\n    return x * x\n```"
SEVEN_OF_TEN = "```python\ndef f(x):\n    return x * x if x < 7 else -1\n```"
TESTS = [f"assert f({n}) == {n * n}" for n in range(10)]


def value(text, tests=TESTS, reference=None, **options):
    scores = scored(unit_tests(**options), [prompt(tests=tests, **(reference or {}))], completions(text))
    return None if scores.valid is not None else scores.total.item()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, 0.0),
        ({"tau": 0.7}, 1.0),  # a tie counts as a pass
        ({"mode": "fraction"}, 0.7),
        ({"mode": "threshold", "tau": 0.8}, 0.0),
        ({"mode": "threshold", "tau": 0.7}, 0.7),
    ],
)
def test_seven_of_ten(options, expected):
    assert value(SEVEN_OF_TEN, **options) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (SQUARE, 1.0),
        ("def f(x): return x * x", 0.0),  # no code block
        ("```js\nf = x => x * x\n```", 0.0),
        (SQUARE + "\n```python\nimport os\nos._exit(0)\n```", 0.0),  # the last block counts
        ("```python\nraise SystemExit(0)\n```", 0.0),
    ],
)
def test_the_last_block_is_the_program(text, expected):
    assert value(text) == expected


@pytest.mark.parametrize("tests", [[], "", "x = 1", "assert f(1) ==", {"inputs": ["1"], "outputs": []}, "{oops", 3])
def test_a_suite_that_judges_nobody_has_no_verdict(tests):
    assert value(SQUARE, tests=tests) is None


@pytest.mark.parametrize(
    ("tests", "reference", "text"),
    [
        ("def check(g):\n    assert g(3) == 9", {"entry_point": "f"}, SQUARE),
        ("assert near(f(3), 9)", {"support": "def near(a, b): return abs(a - b) < 1"}, SQUARE),
        ({"fn_name": "f", "inputs": [[3], [4]], "outputs": [9, 16]}, {}, SQUARE),
        ('{"inputs": ["3"], "outputs": ["9"]}', {}, "```\nprint(int(input()) ** 2)\n```"),
    ],
)
def test_the_shapes_of_tests(tests, reference, text):
    assert value(text, tests=tests, reference=reference) == 1.0
    assert value(text.replace("x * x", "x + x").replace("** 2", "+ 1"), tests=tests, reference=reference) == 0.0


def test_in_the_workers_of_a_run():
    runtime = Runtime(workers=1)
    try:
        reward = unit_tests(mode="fraction", reward_runtime=runtime)
        rows = completions(SQUARE, SEVEN_OF_TEN, "nothing")
        prompts = [prompt(tests=TESTS)] * 2 + [prompt(tests=[])]
        scores = scored(reward, prompts, rows)
        assert scores.total.tolist() == pytest.approx([1.0, 0.7, 0.0])
        assert scores.valid.tolist() == [True, True, False]
    finally:
        runtime.close()


@pytest.mark.parametrize(
    "options",
    [{"tau": 0.0}, {"tau": 1.1}, {"mode": "binry"}, {"timeout": 30.0}, {"language": "pyton"}, {"test_seconds": 0.0}],
)
def test_senseless_options_are_refused(options):
    with pytest.raises(UserError):
        unit_tests(**options)
