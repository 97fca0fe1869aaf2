"""Sums: answers re-derived by Python, every flag of the step report, the principles, the flaws."""

from __future__ import annotations

import itertools
import random
import re
from collections import Counter
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crucible.data.chain import Chain
from crucible.data.chain_flaws import FLAWS
from crucible.data.principles import CHAIN_PRINCIPLES
from crucible.errors import UserError

CHAIN = Chain()
SUM = CHAIN.prompt("7+8-6+2")
RIGHT = "7+8=15;15-6=9;9+2=11"
ANSWER, STEPS, NUMBERS, FORM, SHOWN, SHORT = CHAIN.principles()


def fulfilled(text: str, prompt=SUM) -> set[str]:
    return {p for p in CHAIN.principles() if CHAIN.fulfils(prompt, text, p)}


def test_answers_and_workings_by_python_eval():
    rng = random.Random(1)
    for prompt in islice(CHAIN.train_prompts(rng), 500):
        expression = prompt.text.removesuffix("=")
        assert prompt.reference["answer"] == str(eval(expression))
        assert re.fullmatch(r"[0-9]([+-][0-9]){3}", expression)
        total = expression[0]
        for (sign, n), step in zip(
            re.findall(r"([+-])([0-9])", expression), CHAIN.demonstrate(prompt, rng).split(";"), strict=True
        ):
            left, result = step.split("=")
            assert left == f"{total}{sign}{n}"
            assert eval(left) == int(result)
            assert 0 <= int(result) <= 99
            total = result
        assert CHAIN.check(prompt, CHAIN.working(prompt)).every_step_right


def test_size_of_the_space_is_as_documented():
    """Every sum of four numbers 0..9 whose running totals stay in 0..99, by brute force."""
    totals = Counter(range(10))
    for _ in range(3):
        grown = Counter()
        for (total, ways), n, sign in itertools.product(totals.items(), range(10), (1, -1)):
            if 0 <= total + sign * n <= 99:
                grown[total + sign * n] += ways
        totals = grown
    assert totals.total() == 45_785
    assert "45,785" in Chain.__doc__


def test_the_documented_example():
    assert SUM.text == "7+8-6+2="
    assert CHAIN.working(SUM) == RIGHT
    assert CHAIN.correct(SUM, RIGHT)
    assert CHAIN.correct(SUM, f"  {RIGHT}\n")


@pytest.mark.parametrize(
    "text",
    [
        "7+8=15;15-6=9;9+2=12",
        "11",
        "=011",
        "=11;",
        "=11 ok",
        "= 11",
        "=+11",
        "=11.0",
        "=１１",
        "7+8=15;15-6=9;9+2=",
        "7+8=15;15-6=9;9+2",
    ],
)
def test_wrong_or_unended_answers(text):
    assert not CHAIN.correct(SUM, text)


def test_any_text_may_come_before_the_answer_for_correct_alone():
    assert CHAIN.correct(SUM, "well, it is =11")
    assert not CHAIN.check(SUM, "well, it is =11").well_formed


def test_negative_answers():
    prompt = CHAIN.prompt("3-9")
    assert CHAIN.correct(prompt, "3-9=-6")
    assert CHAIN.check(CHAIN.prompt("3-9-1"), "3-9=-6;-6-1=-7").every_step_right


def test_step_flags():
    report = CHAIN.check(SUM, "7+8=14;15-6=9;9+3=12")
    one, two, three = report.steps
    assert (one.arithmetic_right, one.total_right, one.operand_right) == (False, True, True)
    assert (two.arithmetic_right, two.total_right, two.operand_right) == (True, False, True)
    assert (three.arithmetic_right, three.total_right, three.operand_right) == (True, True, False)
    assert not any(step.right for step in report.steps)
    assert report.answer == "12"
    assert not report.numbers_used_once
    swapped = CHAIN.check(SUM, "7-6=1;1+8=9;9+2=11")
    assert swapped.numbers_used_once
    assert not swapped.in_order
    assert swapped.answer_right
    broken = CHAIN.check(SUM, "7+8=15;15-6;9+2=11")
    assert [step.well_formed for step in broken.steps] == [True, False, True]
    assert not broken.steps[2].total_right  # nothing readable to start from


TABLE = [
    (RIGHT, {ANSWER, STEPS, NUMBERS, FORM, SHOWN, SHORT}),
    ("7+8=14;14-6=8;8+2=10", {NUMBERS, FORM, SHOWN, SHORT}),
    ("7+8=14;14-6=8;8+2=11", {ANSWER, NUMBERS, FORM, SHOWN, SHORT}),
    ("7+8=15;15-5=10;10+2=12", {STEPS, FORM, SHOWN, SHORT}),
    ("7-6=1;1+8=9;9+2=11", {ANSWER, STEPS, FORM, SHOWN, SHORT}),
    ("7+8=15;15+2=17", {STEPS, FORM, SHORT}),
    ("=11", {ANSWER, FORM, SHORT}),
    ("=12", {FORM, SHORT}),
    (RIGHT + ";11+0=11", {ANSWER, STEPS, FORM, SHOWN}),
    ("7+8=15;15-6=9;;9+2=11", {ANSWER, SHOWN}),
    ("7+8=15;15-6=9;9+2", {SHORT}),
    ("", {SHORT}),
    ("I do not know the answer =11", {ANSWER}),
]


@pytest.mark.parametrize(("text", "expected"), TABLE)
def test_principles_by_hand(text, expected):
    assert fulfilled(text) == expected


def test_unknown_principles_name_the_nearest():
    with pytest.raises(UserError, match='did you mean "the steps are shown"'):
        CHAIN.fulfils(SUM, RIGHT, "the step are shown")


def test_paraphrases_belong_to_one_principle_each():
    wordings = [p.text for p in CHAIN_PRINCIPLES] + [w for p in CHAIN_PRINCIPLES for w in p.paraphrases]
    assert len(set(wordings)) == len(wordings)
    assert all(4 <= len(p.paraphrases) <= 8 for p in CHAIN_PRINCIPLES)
    assert all(w == w.lower() and w.strip() == w for w in wordings)
    assert CHAIN.paraphrases(ANSWER) == CHAIN_PRINCIPLES[0].paraphrases


ALL = {ANSWER, STEPS, NUMBERS, FORM, SHOWN, SHORT}
# what each flaw never fulfils, and what it always fulfils, at four terms
FLAWED = {
    "wrong_step": ({ANSWER, STEPS}, {NUMBERS, FORM, SHOWN}),
    "wrong_answer": ({ANSWER, STEPS}, {NUMBERS, FORM, SHOWN}),
    "lucky_answer": ({STEPS}, {ANSWER, NUMBERS, FORM, SHOWN}),
    "wrong_operand": ({ANSWER, NUMBERS}, {STEPS, FORM, SHOWN}),
    "skipped_step": ({NUMBERS, SHOWN}, {STEPS, FORM, SHORT}),
    "swapped_steps": ({NUMBERS}, {ANSWER, STEPS, FORM, SHOWN, SHORT}),
    "direct_right": ({STEPS, NUMBERS, SHOWN}, {ANSWER, FORM, SHORT}),
    "direct_wrong": ({ANSWER, STEPS, NUMBERS, SHOWN}, {FORM, SHORT}),
    "extra_steps": ({NUMBERS, SHORT}, {ANSWER, STEPS, FORM, SHOWN}),
    "malformed": ({STEPS, NUMBERS, FORM}, set()),
    "truncated": ({NUMBERS, SHOWN}, {SHORT}),
}


@pytest.mark.parametrize("kind", FLAWS)
def test_each_flaw_is_what_it_says(kind):
    rng = random.Random(7)
    never, always = FLAWED[kind]
    tried = 0
    for prompt in islice(CHAIN.train_prompts(rng), 300):
        if kind not in CHAIN.corruptions(prompt):
            assert kind == "swapped_steps"
            continue
        tried += 1
        text = CHAIN.corrupt(prompt, rng, kind)
        held = fulfilled(text, prompt)
        assert not held & never, (prompt.text, text, held)
        assert always <= held, (prompt.text, text, held)
        assert text != CHAIN.working(prompt)
    assert tried > 250


def test_flaws_need_room():
    short = CHAIN.prompt("1+2")
    assert {"lucky_answer", "skipped_step", "swapped_steps"} == set(FLAWS) - set(CHAIN.corruptions(short))
    with pytest.raises(UserError, match="cannot have the flaw"):
        CHAIN.corrupt(short, random.Random(0), "skipped_step")
    with pytest.raises(UserError, match='did you mean "truncated"'):
        CHAIN.corrupt(SUM, random.Random(0), "truncate")
    kinds = {CHAIN.corrupt(SUM, random.Random(i)) for i in range(50)}
    assert len(kinds) > 20


def test_direct_and_wrong_demonstrations_have_their_shares():
    prompts = list(islice(CHAIN.train_prompts(random.Random(0)), 1000))
    direct = Chain(direct_share=0.6)
    rng = random.Random(1)
    texts = [direct.demonstrate(p, rng) for p in prompts]
    assert 0.55 < sum(t.startswith("=") for t in texts) / 1000 < 0.65
    assert all(direct.correct(p, t) for p, t in zip(prompts, texts, strict=True))
    noisy = Chain(wrong_share=0.15)
    reports = [noisy.check(p, noisy.demonstrate(p, rng)) for p in prompts]
    wrong = [not step.arithmetic_right for r in reports for step in r.steps]
    assert 0.13 < sum(wrong) / len(wrong) < 0.17
    assert all(r.in_order for r in reports)


def test_wrong_demonstrations_at_every_size():
    """A slip may take the total below zero; the next one must still find a wrong result."""
    task = Chain(terms=12, operand_max=50, wrong_share=1.0)
    rng = random.Random(0)
    for prompt in islice(task.warmup_prompts(rng), 300):
        report = task.check(prompt, task.demonstrate(prompt, rng))
        assert report.in_order
        assert not any(step.arithmetic_right for step in report.steps)


@pytest.mark.parametrize("operations", ["+", "-", "-+"])
def test_operations_dial(operations):
    task = Chain(operations=operations, terms=5, total_max=30, eval_prompts=16)
    for prompt in islice(task.train_prompts(random.Random(0)), 200):
        expression = prompt.reference["expression"]
        assert set(re.sub("[0-9]", "", expression)) <= set(operations)
        totals = [eval(expression[: m.end()]) for m in re.finditer("[0-9]+", expression)]
        assert all(0 <= total <= 30 for total in totals)


@pytest.mark.parametrize("text", ["7", "7+", "7+8*2", "07+8", "7 + 8", ""])
def test_a_text_that_is_no_sum_is_refused(text):
    with pytest.raises(UserError, match="is not a sum"):
        CHAIN.prompt(text)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("+-"), st.integers(0, 99)), min_size=2, max_size=8), st.text())
def test_any_sum_accepts_its_working_alone(terms, noise):
    prompt = CHAIN.prompt("".join(f"{s}{n}" for s, n in [("+", terms[0][1]), *terms[1:]])[1:])
    right = CHAIN.working(prompt)
    assert CHAIN.check(prompt, right).every_step_right
    assert CHAIN.check(prompt, right + noise).every_step_right == (noise.strip() == "")
