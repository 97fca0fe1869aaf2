from __future__ import annotations

import time

import pytest

from crucible.rewards.places import after_last, boxed, tagged


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (r"so \boxed{\frac{1}{2}}.", r"\frac{1}{2}"),
        (r"\boxed{1} and \boxed{2}", "2"),
        (r"\boxed{1} and \boxed{2", "1"),  # the last one never closes
        (r"\fbox {3}", "3"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),  # braces behind a backslash do not count
        (r"\boxed{\text{a\}}}", r"\text{a\}}"),
        (r"\boxed", None),
        (r"\boxed 5", None),
        ("", None),
    ],
)
def test_boxed(text, found):
    assert boxed(text) == found


def test_tagged():
    assert tagged("<answer>a</answer> b <answer>c<answer>d</answer>", "answer") == ["a", "c<answer>d"]
    assert tagged("</answer><answer>", "answer") == []


def test_after_last():
    assert after_last("a</think>b</think>c", "</think>") == "c"
    assert after_last("a", "</think>") is None


@pytest.mark.parametrize("piece", [r"\boxed{", "<answer>", "{", "</think>", "\\"])
def test_a_megabyte_takes_no_second(piece):
    text = piece * (1_000_000 // len(piece))
    started = time.perf_counter()
    boxed(text), tagged(text, "answer"), after_last(text, "</think>")
    assert time.perf_counter() - started < 1
