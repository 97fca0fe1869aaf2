"""Final answers of any text; equality that is one."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from crucible.data.answers import final_answer, gold_answer, number, same
from crucible.rewards import places
from tests.fuzz.limits import fuzzed
from tests.fuzz.texts import PIECES, answers, completions


@fuzzed(share=3)
@given(text=completions, numeric=st.booleans())
def test_extraction_never_raises(text: str, numeric: bool) -> None:
    found = final_answer(text, numeric=numeric)
    assert found is None or isinstance(found, str)
    gold_answer(text)
    for read in (places.boxed, lambda t: places.after_last(t, "</think>")):
        assert read(text) is None or isinstance(read(text), str)
    assert all(isinstance(x, str) for x in places.tagged(text, "answer"))


@fuzzed(share=3)
@given(one=answers, other=answers)
def test_equality_is_symmetric_and_holds_for_the_text_itself(one: str, other: str) -> None:
    assert same(one, other) == same(other, one)
    assert same(one, one) or not one.strip(" .\t\n\r\0") or not " ".join(one.split()).removesuffix(".").strip()
    if (value := number(one)) is not None:
        assert number(f" {one.strip()} ") == value


@fuzzed(share=0.2)
@given(piece=st.sampled_from(PIECES), other=st.sampled_from(PIECES), times=st.integers(1, 4000))
def test_no_text_takes_long(piece: str, other: str, times: int) -> None:
    """100,000 characters of any repeated pair, read within two seconds."""
    text = ((piece + other) * times)[:100_000]
    started = time.perf_counter()
    for numeric in (True, False):
        final_answer(text, numeric=numeric)
    assert time.perf_counter() - started < 2
