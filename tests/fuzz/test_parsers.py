"""Checkers and parsers of the generated worlds, and the sandbox's readers, on any text."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from crucible.data import chain_check, countdown_check, formula
from crucible.data.chain import Chain
from crucible.data.countdown import Countdown
from crucible.data.expression import Expression
from crucible.sandbox.compare import same_output
from crucible.sandbox.completion import last_code_block
from tests.fuzz.limits import fuzzed
from tests.fuzz.texts import completions

arithmetic = st.text("0123456789+-*/();=,>: ", max_size=60)
formulas = st.recursive(
    st.integers(0, 999).map(str),
    lambda inner: st.builds("{}{}{}".format, inner, st.sampled_from("+-*/"), inner) | inner.map("({})".format),
    max_leaves=8,
)


@fuzzed(share=3)
@given(text=formulas)
def test_a_formula_that_is_read_is_written_and_read_the_same(text: str) -> None:
    tree = formula.read(text)
    assume(tree is not None)
    again = formula.read(formula.write(tree))
    assert again is not None
    assert formula.evaluate(again) == formula.evaluate(tree)
    assert formula.operations(tree) >= 0
    formula.canonical(tree)


@fuzzed(share=3)
@given(text=formulas)
def test_a_formula_has_pythons_value(text: str) -> None:
    tree = formula.read(text)
    assume(tree is not None)
    exact = "".join(f"F({part})" if part.isdigit() else part for part in _tokens(text))
    try:
        expected: Any = eval(exact, {"F": Fraction})
    except ZeroDivisionError:
        expected = None
    assert formula.evaluate(tree) == expected


def _tokens(text: str) -> list[str]:
    found: list[str] = []
    for character in text:
        if character.isdigit() and found and found[-1].isdigit():
            found[-1] += character
        else:
            found.append(character)
    return [str(int(part)) if part.isdigit() else part for part in found]


WORLDS = {
    "chain": Chain(eval_prompts=4),
    "countdown": Countdown(eval_prompts=4),
    "expression": Expression(eval_prompts=4),
}


@fuzzed(share=3)
@given(text=arithmetic | completions)
def test_no_text_breaks_the_reader_of_formulas(text: str) -> None:
    formula.read(text)


@fuzzed(share=3)
@given(world=st.sampled_from(sorted(WORLDS)), text=arithmetic | completions, which=st.integers(0, 3))
def test_no_answer_breaks_a_world(world: str, text: str, which: int) -> None:
    task = WORLDS[world]
    prompt = task.eval_prompts()[which]
    assert isinstance(task.correct(prompt, text), bool)
    if hasattr(task, "principles"):
        for principle in task.principles():
            task.fulfils(prompt, text, principle)


@fuzzed(share=2)
@given(
    text=arithmetic | completions, numbers=st.lists(st.integers(0, 99), min_size=1, max_size=5), target=st.integers()
)
def test_checks_of_steps(text: str, numbers: list[int], target: int) -> None:
    chain_check.check(chain_check.terms_of("7+8-6"), text)
    countdown_check.check(numbers, target, text)


@fuzzed()
@given(text=completions, other=completions)
def test_the_sandboxes_readers(text: str, other: str) -> None:
    block = last_code_block(text)
    assert block is None or isinstance(block, str)
    assert same_output(text, text)
    assert same_output(text, other) == same_output(other, text)
