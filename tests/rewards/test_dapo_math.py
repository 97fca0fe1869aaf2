from __future__ import annotations

import pytest

from crucible.rewards.dapo_math import dapo_math, normalised
from tests.rewards.cases import completions, prompt, scored


def value(gold, text, **options):
    return scored(dapo_math(**options), [prompt(answer=gold)], completions(text)).total.item()


@pytest.mark.parametrize(
    ("gold", "text", "expected"),
    [
        ("34", "Answer: 34", 1.0),
        ("34", "answer :  $x = 34$", 1.0),
        ("34", "Answer: 33\nAnswer: 34", 1.0),
        ("34", r"\boxed{34}", 1.0),
        ("34", r"Answer: $\boxed{34}$.", 1.0),
        ("34", r"Answer: 35 \boxed{34}", -1.0),  # the line comes first; the box is a fallback
        ("34", r"\boxed{34}" + "." * 100, -1.0),  # the box must be near the end
        ("34", "Answer: 34" + "." * 300, -1.0),  # the line must be in the window
        ("34", "34", -1.0),
        ("34", "", -1.0),
    ],
)
def test_values(gold, text, expected):
    assert value(gold, text) == expected


@pytest.mark.parametrize(
    ("answer", "form"),
    [
        (r"\frac12", r"\frac{1}{2}"),
        (r"\dfrac{1}2", r"\frac{1}{2}"),
        (r"\sqrt3", r"\sqrt{3}"),
        ("1,234,567", "1234567"),
        ("12{,}345", "12345"),
        ("(1,234)", "(1,234)"),  # could be a pair
        ("1,2,3", "1,2,3"),
        ("-1,234.5", "-1234.5"),
        ("x = y = 7", "7"),
        (r"5.4 \text{ cents}", "5.4"),
        ("a dozen points", "dozen"),
        ("Japan", "Japan"),  # an "an " inside of a word stays
        ("pointsman", "pointsman"),
        (r"120^\circ", "120"),
        (r"\$18.90", "18.90"),
        (r"\text{Evelyn}", "Evelyn"),
        (r"\left( 3, \frac{\pi}{2} \right)", r"(3,\frac{\pi}{2})"),
        ("45.", "45"),
    ],
)
def test_normalised(answer, form):
    assert normalised(answer) == form
    assert normalised(form) == form


def test_an_answer_of_nothing_is_wrong():
    assert value("dollars", "Answer: points") == -1.0


def test_the_two_values():
    assert value("3", "Answer: 3", right=1.0, wrong=0.0) == 1.0
    assert value("3", "Answer: 4", right=1.0, wrong=0.0) == 0.0
