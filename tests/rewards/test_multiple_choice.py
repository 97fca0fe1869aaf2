from __future__ import annotations

import pytest

from crucible.errors import UserError
from crucible.rewards.multiple_choice import labelled, multiple_choice
from tests.rewards.cases import completions, prompt, scored

CHOICES = ["the Moon", "a planet", "A star", "I do not know"]


def value(text, *, answer="C", choices=CHOICES, **options):
    scores = scored(multiple_choice(**options), [prompt(answer=answer, choices=choices)], completions(text))
    return None if scores.valid is not None else scores.total.item()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"\boxed{C}", 1.0),
        (r"\boxed{\text{(C)}}", 1.0),
        (r"\boxed{C. A star}", 1.0),
        (r"\boxed{C. the Moon}", 0.0),  # the letter of one option with the text of another
        (r"\boxed{A star}", 1.0),
        (r"\boxed{B} or \boxed{C}", 1.0),
        (r"\boxed{B, C}", 0.0),
        ("<answer>c</answer>", 1.0),
        ("<answer>a star.</answer>", 1.0),
        ("The answer is (C).", 1.0),
        ("The answer is **C**.", 1.0),
        ("Answer: C", 1.0),
        ("The answer is C because a star shines", 0.0),  # no form that is read
        ("C", 0.0),  # no declared place
        ("A Comet Can Cross", 0.0),
        (r"Answer: C \boxed{B}", 0.0),  # the first place that occurs counts
        ("", 0.0),
    ],
)
def test_values(text, expected):
    assert value(text) == expected


def test_options():
    assert value(r"Answer: C \boxed{B}", places=["said"]) == 0.0  # "C \boxed{B}" is no letter
    assert value("Answer: C\n" + r"\boxed{B}", places=["said"]) == 1.0
    assert value(r"\boxed{A star}", accept_text=False) == 0.0
    assert value(r"\boxed{C}", guess_floor=True) == 1.0
    assert value(r"\boxed{B}", guess_floor=True) == pytest.approx(-1 / 3)


def test_guessing_is_worth_nothing_with_the_floor():
    mean = sum(value(rf"\boxed{{{letter}}}", guess_floor=True) for letter in "ABCD") / 4
    assert mean == pytest.approx(0.0, abs=1e-6)


def test_three_forms_of_options():
    assert labelled({"label": ["1", "2"], "text": ["x", "y"]}) == {"1": "x", "2": "y"}
    assert labelled({"a": "x"}) == {"A": "x"}
    assert labelled(["x", "y"]) == {"A": "x", "B": "y"}
    assert value(r"\boxed{2}", answer="2", choices={"label": ["1", "2"], "text": ["x", "y"]}) == 1.0
    assert value(r"\boxed{B}", answer="y", choices=["x", "y"]) == 1.0  # the reference answer may be the text


def test_options_that_differ_in_case_alone():
    assert value("Answer: Rr", answer="B", choices=["RR", "Rr", "rr"]) == 1.0
    assert value("Answer: RR", answer="B", choices=["RR", "Rr", "rr"]) == 0.0
    assert value("Answer: rR", answer="B", choices=["RR", "Rr", "rr"]) == 0.0


@pytest.mark.parametrize(("answer", "choices"), [("E", CHOICES), ("x", ["x", "x"]), ("A", ["x"])])
def test_a_reference_answer_that_names_no_option_is_no_verdict(answer, choices):
    assert value(r"\boxed{A}", answer=answer, choices=choices) is None


@pytest.mark.parametrize("places", [[], ["box"]])
def test_unknown_places_are_refused(places):
    with pytest.raises(UserError, match=r"reward\.places"):
        multiple_choice(places=places)
