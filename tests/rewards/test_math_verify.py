from __future__ import annotations

import pytest

from crucible.errors import UserError
from crucible.rewards.math_verify import math_verify
from tests.rewards.cases import completions, prompt, scored


def value(gold, text, **options):
    scores = scored(math_verify(**options), [prompt(answer=gold)], completions(text))
    return None if scores.valid is not None else scores.total.item()


@pytest.mark.parametrize(
    ("gold", "text", "expected"),
    [
        ("1/3", r"\boxed{\frac{1}{3}}", 1.0),  # the library's worked numbers
        ("1/3", r"\boxed{\frac{1}{2}}", 0.0),
        (r"3\sqrt{13}", r"\boxed{3}", 0.0),  # a bare reference answer is not read as its first number
        (r"3\sqrt{13}", r"\boxed{\sqrt{117}}", 1.0),
        (r"$\frac{1}{3}$", r"so the answer is $\frac{2}{6}$.", 1.0),
        ("0.5", r"\boxed{\dfrac{1}{2}}", 1.0),
        ("0.5", r"\boxed{\dfrac12}", 0.0),  # malformed, and not repaired
        (r"\frac12", r"\boxed{\frac12}", 1.0),  # but the reference answer letter by letter is right
        (r"$\frac12$", r"\boxed{\frac12}", 1.0),
        ("x^2+2x+1", r"\boxed{(x+1)^2}", 1.0),
        (r"\{1,2\}", r"\boxed{2, 1}", 1.0),
        ("(1,2)", r"\boxed{(2,1)}", 0.0),
        ("1,000", r"\boxed{1000}", 1.0),
        ("5", r"\boxed{6} is what I thought before I saw that it is in fact \boxed{5}", 1.0),
        ("5", r"\boxed{6} \boxed{5}", 0.0),  # the library takes neighbouring boxes for one set
        ("5", "I found no answer, but 5 is a nice number", 0.0),  # a stray number is not an answer
        ("5", "", 0.0),
        (r"\$32,\!348", r"\boxed{32348}", 1.0),  # a dollar sign is no delimiter
        ("$a$,$b$", r"\boxed{b, a}", 1.0),
        ("221,$8", r"\boxed{8, 221}", 1.0),
        ("3.83e35", r"\boxed{3.83 \times 10^{35}}", 1.0),
        (r"3.6 \times 10^{-10}", r"\boxed{3.6e-10}", 1.0),
        ("3.6e-10", r"\boxed{5e-8}", 0.0),  # not both 0 to six decimals
        ("0.00000177", r"\boxed{0.000002}", 0.0),
        ("0.00000177", r"\boxed{-0.00000177}", 0.0),
        ("0.00000177", r"\boxed{1.77 \times 10^{-6}}", 1.0),
        ("0.0004567", r"\boxed{0.000457}", 1.0),
        (r"$8 \%$", r"\boxed{8\%}", 1.0),
        ("17.5%", r"\boxed{17.5\%}", 1.0),
        ("17.5%", r"\boxed{17.4\%}", 0.0),
        ("50%", r"\boxed{0.5}", 1.0),
    ],
)
def test_values(gold, text, expected):
    assert value(gold, text) == expected


def test_argument_order_matters():
    """An inequality as reference accepts an interval; the reverse would let the question's inequality be echoed."""
    assert value("1 < x < 2", r"\boxed{(1,2)}") == 1.0
    assert value("(1,2)", r"\boxed{1 < x < 2}") == 0.0
    assert value("(1,2)", r"\boxed{1 < x < 2}", allow_set_relation_comp=True) == 1.0


def test_plain_numbers_are_read_only_where_asked_for():
    assert value("12", "it is 12") == 0.0
    assert value("12", "it is 12", extraction="latex_or_expression") == 1.0
    assert value("0.5", r"\boxed{\dfrac12}", extraction="latex_or_expression") == 1.0


def test_a_box_before_the_window_is_found():
    tail = "and that was all. " * 500
    assert value("5", r"\boxed{5}" + tail) == 1.0
    assert value("5", r"\boxed{6}" + tail) == 0.0


def test_an_unreadable_reference_answer_is_no_verdict():
    assert value("", r"\boxed{5}") is None
    assert value("$ $", r"\boxed{5}") is None


def test_what_the_library_cannot_compare_is_an_error_not_a_zero(monkeypatch):
    import math_verify as library

    def broken(*_, **__):
        raise RecursionError("too deep")

    monkeypatch.setattr(library, "verify", broken)
    scores = scored(math_verify(), [prompt(answer="5")], completions(r"\boxed{6}"))
    assert scores.valid.tolist() == [False]
    assert scores.outcomes["math_verify"].share("error") == 1.0
    assert "too deep" in scores.outcomes["math_verify"].problem


@pytest.mark.parametrize("options", [{"extraction": "latec"}, {"float_rounding": -1}, {"window": 0}])
def test_senseless_options_are_refused(options):
    with pytest.raises(UserError, match=f"reward.{next(iter(options))}"):
        math_verify(**options)
