"""Every verifier of one answer, on any text: it does not raise, it stays in its range, and it is quick."""

from __future__ import annotations

import functools
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crucible.rewards.bleu import bleu
from crucible.rewards.dapo_math import dapo_math
from crucible.rewards.gsm8k import gsm8k
from crucible.rewards.ifeval import ifeval
from crucible.rewards.math_verify import math_verify
from crucible.rewards.multiple_choice import multiple_choice
from crucible.rewards.qa import qa
from crucible.rewards.reasoning_pattern import reasoning_pattern
from crucible.rewards.repeated_window import repeated_window
from crucible.rewards.runtime.runtime import Runtime
from crucible.rewards.sql import sql
from crucible.rewards.tags import tags
from crucible.types import Completion, Prompt

REFERENCE = {
    "answer": "A star",
    "choices": ["a planet", "A star"],
    "references": ["a star is a star"],
    "sql": "SELECT a FROM t",
    "database": "CREATE TABLE t (a);\nINSERT INTO t VALUES (1);",
    "instruction_id_list": [
        "length_constraints:number_words", "length_constraints:number_sentences",
        "length_constraints:number_paragraphs", "length_constraints:nth_paragraph_first_word", "keywords:existence",
        "keywords:forbidden_words", "keywords:letter_frequency", "keywords:frequency",
        "detectable_content:number_placeholders", "detectable_content:postscript",
        "detectable_format:number_bullet_lists", "detectable_format:number_highlighted_sections",
        "detectable_format:multiple_sections", "detectable_format:title", "detectable_format:json_format",
        "combination:two_responses", "combination:repeat_prompt", "startend:end_checker", "startend:quotation",
        "change_case:english_lowercase", "change_case:capital_word_frequency", "punctuation:no_comma",
        "language:response_language",
    ],
    "kwargs": [
        {"num_words": 3, "relation": "at least"}, {"num_sentences": 2, "relation": "less than"}, {"num_paragraphs": 2},
        {"num_paragraphs": 2, "nth_paragraph": 1, "first_word": "a"}, {"keywords": ["a"]}, {"forbidden_words": ["b"]},
        {"letter": "a", "let_frequency": 2, "let_relation": "at least"},
        {"keyword": "a", "frequency": 2, "relation": "at least"}, {"num_placeholders": 2},
        {"postscript_marker": "P.S."}, {"num_bullets": 2}, {"num_highlights": 1},
        {"section_spliter": "Section", "num_sections": 2}, {}, {}, {}, {"prompt_to_repeat": "a"}, {"end_phrase": "a"},
        {}, {}, {"capital_frequency": 1, "capital_relation": "less than"}, {}, {"language": "fr"},
    ],
}  # fmt: skip
NUMERIC = REFERENCE | {"answer": "1/2"}
CASES = {
    "bleu": (bleu, {"mix": "rouge_l"}, REFERENCE, (0, 1)),
    "dapo_math": (dapo_math, {}, REFERENCE, (-1, 1)),
    "gsm8k-strict": (gsm8k, {"window": None, "compare": "value"}, NUMERIC, (0, 1)),
    "gsm8k-flexible": (gsm8k, {"method": "flexible", "window": None, "compare": "value"}, NUMERIC, (0, 1)),
    "gsm8k-last": (gsm8k, {"method": "last_number", "compare": "value"}, NUMERIC, (0, 1)),
    "ifeval": (ifeval, {}, REFERENCE, (0, 1)),
    "ifeval-loose": (ifeval, {"mode": "loose"}, REFERENCE, (0, 1)),
    "math_verify": (math_verify, {}, NUMERIC, (0, 1)),
    "math_verify-expression": (math_verify, {"extraction": "latex_or_expression"}, NUMERIC, (0, 1)),
    "multiple_choice": (multiple_choice, {}, REFERENCE, (0, 1)),
    "qa-em": (qa, {}, REFERENCE, (0, 1)),
    "qa-f1": (qa, {"metric": "f1", "read": "whole"}, REFERENCE, (0, 1)),
    "qa-sub_em": (qa, {"metric": "sub_em", "read": "whole"}, REFERENCE, (0, 1)),
    "reasoning_pattern": (reasoning_pattern, {"need_answer": False}, REFERENCE, (0, 1)),
    "repeated_window": (repeated_window, {}, REFERENCE, (-1, 0)),
    "sql": (sql, {}, REFERENCE, (0, 7)),
    "tags": (tags, {"rule": "count"}, REFERENCE, (0, 1)),
}
PIECES = [
    "<answer>", "</answer>", "<think>", "</think>", "\\boxed{", "}", "{", "####", " ", "\n", "\n\n", "answer is ",
    "Answer:", "1", "1,", ".", "-", "/", "%", "\\frac{1}{2}", "\\frac", "$", "A", "(", ")", "*", "***", "<<", ">>", "[",
    "]", '"', "'", "```sql", "```", "SELECT ", "a ", "\ud800", "\u0000", "é", "解", "😀", "\u202e", "١", "²", "user: ",
    "\\", "=", "P.S.",
]  # fmt: skip
TEXTS = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
EACH = pytest.mark.parametrize("name", sorted(CASES))


def called(name, text):
    make, options, reference, _ = CASES[name]
    return make.__wrapped__(Prompt(id="p", reference=reference), Completion(text, len(text)), **options)


@EACH
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=TEXTS)
def test_it_does_not_raise_and_stays_in_its_range(name, text):
    low, high = CASES[name][3]
    value = called(name, text)
    assert value is not None
    assert low <= value <= high


@functools.cache
def warm(name):
    called(name, "a")  # libraries are loaded by the first call


@pytest.mark.slow
@EACH
@pytest.mark.parametrize(
    "piece",
    ["a", " ", "\n", "1", "1,", "1 ", "a b c ", "*", "<<", "[", "\\boxed{", "$", "(", "{", "<answer>", "answer: ",
     "\ud800", "SELECT ", "\\frac", "P.S. ", "x. ", "-\n", "#### 1 "],
)  # fmt: skip
def test_a_megabyte_of_anything_takes_no_time_limit(name, piece):
    warm(name)
    started = time.perf_counter()
    called(name, piece * (1_000_000 // len(piece)))
    assert time.perf_counter() - started < 5


@pytest.mark.slow
def test_it_says_the_same_in_a_worker_with_its_limits():
    """Workers have no torch and four gigabytes of address space: every library must live with that."""
    runtime = Runtime(workers=1, timeout=60.0)
    texts = ["", "the answer is \\boxed{1/2}", "<answer>A star</answer>", "```sql\nSELECT a FROM t\n```", "\ud800"]
    try:
        for name, (make, options, reference, _) in CASES.items():
            rows = [Prompt(id="p", reference=reference)] * len(texts), [Completion(t, len(t)) for t in texts]
            outcomes = make(reward_runtime=runtime, **options).outcomes(*rows)
            assert [o.problem for o in outcomes] == [""] * len(texts), name
            assert [o.value for o in outcomes] == pytest.approx([called(name, t) for t in texts]), name
    finally:
        runtime.close()
