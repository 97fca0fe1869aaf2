"""Expressions: values by Python's own arithmetic, brackets by its own parser, steps one by one."""

from __future__ import annotations

import ast
import random
from fractions import Fraction
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible.data import formula
from crucible.data.expression import Expression
from crucible.data.formula import Node
from crucible.errors import UserError

TASK = Expression(steps=5)
PROMPT = TASK.prompt("(3+4)*2-8/4")
RIGHT = "7*2-8/4=14-8/4=14-2=12"


def by_python(text: str) -> Fraction:
    """The exact value, by Python's parser and fractions."""

    def walk(node: ast.expr) -> Fraction:
        if isinstance(node, ast.Constant):
            return Fraction(node.value)
        left, right = walk(node.left), walk(node.right)
        kind = type(node.op)
        if kind is ast.Add:
            return left + right
        if kind is ast.Sub:
            return left - right
        return left * right if kind is ast.Mult else left / right

    return walk(ast.parse(text, mode="eval").body)


def test_values_by_another_parser_and_every_line_of_the_working():
    rng = random.Random(0)
    for prompt in islice(TASK.train_prompts(rng), 300):
        value = by_python(prompt.text.removesuffix("="))
        assert str(value) == prompt.reference["answer"]
        assert 0 <= value <= 999
        lines = TASK.demonstrate(prompt, rng).split("=")
        assert len(lines) == 5
        assert {by_python(line) for line in lines} == {value}
        assert TASK.check(prompt, "=".join(lines)).every_step_right


trees = st.recursive(
    st.integers(0, 99),
    lambda parts: st.builds(Node, st.sampled_from("+-*/"), parts, parts),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(trees)
def test_writing_and_reading_are_inverse_and_agree_with_python(tree):
    text = formula.write(tree)
    assert formula.read(text) == tree
    try:
        expected = by_python(text)
    except ZeroDivisionError:
        expected = None
    assert formula.evaluate(tree) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "(",
        ")",
        "()",
        "1+",
        "+1",
        "-1",
        "1 + 1",
        "1++1",
        "(1",
        "1)",
        "01",
        "1(2)",
        "(1)(2)",
        "1.5",
        "2^3",
        "a",
        "1" * 10,
        "+".join("1" * 70),
    ],
)
def test_texts_that_are_no_formula(text):
    assert formula.read(text) is None


def test_brackets_that_change_nothing_are_read():
    assert formula.read("((3))+(4)") == Node("+", 3, 4)


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("1+2+3", "3+(1+2)", True),
        ("1-(2-3)", "3+1-2", True),
        ("2*(3+4)", "(4+3)*2", True),
        ("8/(4/2)", "8*2/4", True),
        ("2*3+4*5", "5*4+3*2", True),
        ("1-2-3", "1-(2-3)", False),
        ("8/4/2", "8/(4/2)", False),
        ("1+23", "12+3", False),
        ("2*3+4", "2*(3+4)", False),
    ],
)
def test_canonical(one, other, equal):
    a, b = (formula.canonical(formula.read(text)) for text in (one, other))
    assert (a == b) is equal


def test_the_documented_example():
    assert PROMPT.text == "(3+4)*2-8/4="
    assert TASK.demonstrate(PROMPT, random.Random(0)) == RIGHT
    assert TASK.check(PROMPT, RIGHT).every_step_right


@pytest.mark.parametrize(
    ("text", "right", "steps_right"),
    [
        (RIGHT, True, True),
        ("12", True, True),
        ("=12", True, False),
        ("7*2-2=14-2=12\n", True, True),
        ("7*2-8/4=7*2-8/4=12", True, False),
        ("7*2-8/4=15-2=12", True, False),
        ("7*2-8/4=14-8/4=14-2=13", False, False),
        ("12=", False, False),
        ("012", False, False),
        ("12.0", False, False),
        ("24/2", False, False),
        ("the answer is 12", False, False),
    ],
)
def test_judgement(text, right, steps_right):
    assert TASK.correct(PROMPT, text) is right
    assert TASK.check(PROMPT, text).every_step_right is steps_right


@pytest.mark.parametrize("operations", ["+", "-", "*", "/", "*/", "+-"])
def test_operations_dial(operations):
    task = Expression(operations=operations, steps=3, eval_prompts=8)
    for prompt in islice(task.train_prompts(random.Random(0)), 100):
        assert {c for c in prompt.text if c in "+-*/"} <= set(operations)


def test_no_operation_and_twenty():
    none = Expression(steps=0, operand_max=99, eval_prompts=4)
    prompt = none.eval_prompts()[0]
    assert none.demonstrate(prompt, random.Random(0)) == prompt.text.removesuffix("=")
    assert none.check(prompt, prompt.text.removesuffix("=")).every_step_right
    many = Expression(steps=20, eval_prompts=4)
    assert all(p.difficulty == 20 for p in many.eval_prompts())


@pytest.mark.parametrize("text", ["1+", "(1+2)", "1 + 2", ""])
def test_a_text_that_is_no_expression_is_refused(text):
    with pytest.raises(UserError, match="data=expression"):
        TASK.prompt(text)
