"""Puzzles: solved again by brute force, and the rules of the checker one by one."""

from __future__ import annotations

import itertools
import math
import random
from itertools import islice

import pytest

from crucible.data.countdown import Countdown

TASK = Countdown(numbers=4, number_max=99, target_min=10, operations="+-*/")
PUZZLE = TASK._item([19, 36, 3, 54], ["36-19=17", "17*3=51", "54-51=3"])[1]


def solve(numbers: tuple[int, ...], target: int) -> list[str] | None:
    """A way found by trying every order, written without the code under test."""
    if len(numbers) == 1:
        return [] if numbers[0] == target else None
    for i, j in itertools.permutations(range(len(numbers)), 2):
        rest = tuple(n for k, n in enumerate(numbers) if k not in (i, j))
        a, b = numbers[i], numbers[j]
        results = {"+": a + b, "-": a - b, "*": a * b, "/": a / b if b else -1}
        for operation, c in results.items():
            if c < 0 or c != int(c):
                continue
            found = solve((*rest, int(c)), target)
            if found is not None:
                return [f"{a}{operation}{b}={int(c)}", *found]
    return None


def test_every_puzzle_can_be_solved_and_the_found_way_counts():
    task = Countdown(numbers=3, number_max=99, target_min=10, operations="+-*/")
    different = 0
    for prompt in islice(task.train_prompts(random.Random(0)), 150):
        given, target = prompt.text.removesuffix(":").split(">")
        assert target == prompt.reference["answer"]
        assert 10 <= int(target) <= 99
        found = solve(tuple(map(int, given.split(","))), int(target))
        assert found is not None
        assert task.correct(prompt, ";".join(found))
        different += ";".join(found) != task.demonstrate(prompt, random.Random(0))
    assert different > 50  # many ways count, not the planted one alone


@pytest.mark.parametrize(
    "text",
    [
        "36-19=17;17*3=51;54-51=3",
        "36-19=17;3*17=51;54-51=3",
        " 36-19=17;17*3=51;54-51=3\n",
        "36-19=17;17*3=51;54-51=3\t",
        "54-36=18;19-18=1;3*1=3",
        "19+36=55;55-54=1;3/1=3",
    ],
)
def test_right_ways(text):
    assert TASK.correct(PUZZLE, text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("54-51=3", "51 is not on the table"),
        ("36-19=17;17*3=51;54-51=4", "arithmetic"),
        ("36-19=17;17*3=52;54-52=2", "arithmetic"),
        ("3*1=3", "1 is not given"),
        ("54/3=18", "does not use all numbers"),
        ("36-19=17;17*3=51;54-51=3;3+0=3", "a number too many"),
        ("36-36=0;19*0=0;54*0=0;3+0=3", "36 used twice"),
        ("19-36=-17;54-51=3", "below zero"),
        ("36-19=17;17*3=51;54-51=03", "leading zero"),
        ("36-19=17; 17*3=51; 54-51=3", "space within"),
        ("36-19=17;17*3=51;54-51=3;", "an empty part"),
        ("=3", "no steps"),
        ("3", "no steps"),
        ("", "nothing"),
    ],
)
def test_wrong_ways(text, why):
    assert not TASK.correct(PUZZLE, text), why


def test_report_says_which_rule_was_broken():
    report = TASK.check(PUZZLE, "36-19=17;17*3=52;55-52=3")
    assert [m.arithmetic_right for m in report.moves] == [True, False, True]
    assert [m.available for m in report.moves] == [True, True, False]
    assert report.reaches_target
    assert not report.uses_all_once


def test_equal_numbers_may_be_used_as_often_as_given():
    twice = TASK._item([5, 5, 2], ["5+5=10", "10*2=20"])[1]
    assert TASK.correct(twice, "5+5=10;10*2=20")
    once = TASK._item([5, 4, 2], ["5+5=10", "10*2=20"])[1]
    assert not TASK.correct(once, "5+5=10;10*2=20")


def test_operations_dial_binds_puzzles_and_answers():
    task = Countdown(operations="+-", numbers=3)
    for prompt in islice(task.train_prompts(random.Random(0)), 100):
        assert not set("*/") & set(prompt.reference["working"])
    prompt = task._item([6, 2, 8], ["6-2=4", "8+4=12"])[1]
    assert task.correct(prompt, "6-2=4;8+4=12")
    assert not task.correct(task._item([6, 2, 8], ["6*2=12", "12+8=20"])[1], "6*2=12;12+8=20")


def test_size_of_the_space_is_as_documented():
    assert f"{math.comb(99 + 4 - 1, 4):,}" in Countdown.__doc__
    seen = {p.id for p in islice(TASK.train_prompts(random.Random(3)), 5000)}
    assert len(seen) > 4990  # hardly ever the same puzzle twice
