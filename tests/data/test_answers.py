"""Final answers: where they are found, and when two are the same."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible.data.answers import final_answer, gold_answer, number, same


@pytest.mark.parametrize(
    ("text", "gold", "right"),
    [
        (r"so it is \boxed{72}", "72", True),
        (r"first \boxed{3}, no: \boxed{\frac{1}{2}}", "0.5", True),
        (r"\boxed{72} and 5 more words", "72", True),
        (r"\boxed{7", "7", True),  # never closed: the last number counts
        ("work work\n#### 1,000", "1000", True),
        ("#### 72 dollars", "72", True),
        ("####", "72", False),
        ("The answer is 72 dollars.", "72", True),
        ("The answer is 3 + 4 = 7.", "7", True),
        ("The answer is 3 + 4.", "3", False),
        ("The final answer: **12**", "12", True),
        ("answer is 10^2", "10", False),
        ("The answer is 3x", "3", False),
        ("The answer is -5.", "-5", True),
        ("The final answer is $72$.", "72", True),
        (r"The answer is $\frac{1}{2}$.", "0.5", True),
        ("The answer is $(2, 3)$.", "(2, 3)", True),
        (r"The answer is \((2, 3)\).", "$(2, 3)$", True),
        ("The answer is $$x^2$$.", "x^2", True),
        ("The answer is $(2, 3.)$.", "(2, 3)", False),
        ("The answer is $(2, 3)$ or $(3, 2)$.", "(2, 3)", False),
        ("The answer is $(2, 3)$ or $(3, 2)$.", "(3, 2)", False),
        (r"The answer is $\frac{1}{2}$ or $\frac{1}{3}$.", r"\frac{1}{2}", False),
        ("7+8=15;15-6=9;9+2=11", "11", True),
        ("x = 5 apples in 3 days", "5", True),
        ("We get 5 and then -3.", "-3", True),
        ("no number at all", "5", False),
        ("", "5", False),
        ("The answer is 5. But 6 is larger.", "5", True),
        ("Answer: Paris.", "paris", True),
        ("I think\nParis", "Paris", True),
        ("Paris, France", "Paris", False),
        ("the answer is yes", "no", False),
    ],
)
def test_found_and_compared(text, gold, right):
    answer = final_answer(text, numeric=number(gold) is not None)
    assert (answer is not None and same(answer, gold)) is right, answer


@pytest.mark.parametrize(
    ("a", "b", "equal"),
    [
        ("1,000,000.50", "1000000.5", True),
        ("$18.00", "18", True),
        (r"\$18", "18", True),
        ("1/2", "0.5", True),
        (r"-\dfrac{3}{4}", "-0.75", True),
        ("1e3", "1000", True),
        ("+5", "5", True),
        ("007", "7", True),
        ("3.", "3", True),
        ("$12$.", "12", True),
        ("$12.$", "12", True),
        (r"\(12\).", "12", True),
        (r"$\frac{3}{4}$.", "3/4", True),
        ("$x$", "x", True),
        ("$x$.", r"\[x\]", True),
        ("$x$ or $y$", "x$ or $y", False),  # two pairs are no pair around the whole
        (r"$5\$", "5$", False),
        ("$x", "x", False),
        ("$$", "$$", True),
        ("50%", "50", False),
        ("50%", "0.5", False),
        ("50 %", r"50\%", True),
        ("0.3333", "1/3", False),
        ("1,00", "100", False),
        ("1/0", "1/0", True),  # no numbers: the same text
        ("", "", False),
        ("New  York.", "new york", True),
        ("12 dollars", "12", False),
        ("9" * 5000, "9" * 5000, True),
        ("9" * 5000, "9" * 5001, False),
    ],
)
def test_equality(a, b, equal):
    assert same(a, b) is equal
    assert same(b, a) is equal


def test_gold_answers():
    assert gold_answer("Natalia sold 48/2 = <<48/2=24>>24 clips.\n#### 72") == "72"
    assert gold_answer(r"hence $x=\boxed{\frac{1}{2}}$") == r"\frac{1}{2}"
    assert gold_answer(" 12 ") == "12"


@given(st.fractions(max_denominator=10**6).filter(lambda f: abs(f.numerator) < 10**20))
def test_numbers_by_fraction(value):
    assert number(str(value)) == (Fraction(value), False)
    sign = "-" if value < 0 else ""
    assert same(str(value), rf"{sign}\frac{{{abs(value.numerator)}}}{{{value.denominator}}}")


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9))
def test_numbers_with_thousands_separators(value):
    assert number(f"{value:,}") == number(str(value)) == (Fraction(value), False)


MARKS = r"\boxed{ } #### = $ % \frac{1}{0} 1/0 1e99 - ."
PIECES = st.sampled_from([*MARKS.split(), "answer is ", "\n", " ", "9" * 70])
TEXTS = st.one_of(st.text(max_size=80), st.lists(st.one_of(PIECES, st.text(max_size=4))).map("".join))


@settings(max_examples=200, deadline=None)
@given(TEXTS, st.booleans())
def test_nothing_raises(text, numeric):
    answer = final_answer(text, numeric=numeric)
    assert answer is None or same(answer, "5") in (True, False)
    number(text)
    gold_answer(text)


@pytest.mark.parametrize(
    "text",
    [
        "\\boxed{" * 50_000,
        "=" * 200_000,
        "1," * 100_000,
        "answer is " * 20_000,
        "9" * 200_000,
        "1 / " * 50_000,
    ],
)
def test_hostile_texts_are_cheap(text):
    began = time.perf_counter()
    final_answer(text, numeric=True)
    final_answer(text, numeric=False)
    number(text)
    assert time.perf_counter() - began < 2
