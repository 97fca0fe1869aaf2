"""No completion, however strange, makes a verifier raise, hang, or give what is no number."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crucible.rewards.base import PerSample
from crucible.rewards.dapo_math import dapo_math
from crucible.rewards.format import format as shape
from crucible.rewards.gsm8k import gsm8k
from crucible.rewards.ifeval import ifeval
from crucible.rewards.length import length
from crucible.rewards.math_verify import math_verify
from crucible.rewards.multiple_choice import multiple_choice
from crucible.rewards.qa import qa
from crucible.rewards.reasoning_pattern import reasoning_pattern
from crucible.rewards.tags import tags
from crucible.types import Completion, Prompt
from tests.fuzz.limits import fuzzed
from tests.fuzz.texts import answers, completions

TEXT_VERIFIERS: dict[str, Any] = {
    "gsm8k-strict": gsm8k(),
    "gsm8k-flexible": gsm8k(method="flexible", compare="value"),
    "gsm8k-last": gsm8k(method="last_number", compare="value"),
    "dapo": dapo_math(),
    "qa-em": qa(),
    "qa-f1": qa(metric="f1", read="whole"),
    "tags-think": tags(rule="think"),
    "shape": shape(pattern="[0-9+\\-*=;]*=-?\\d+"),
    "length": length(max_tokens=32, buffer_tokens=8),
    "patterns": reasoning_pattern(phrases=["let us ", "wait,"]),
}


def outcome(reward: PerSample, text: str, **reference: Any) -> float | None:
    prompt = Prompt(id="0", text="?", reference=reference)
    found = reward.outcomes([prompt], [Completion(text, tokens=min(len(text), 32))])[0]
    assert found.kind in ("value", "abstain"), found
    assert found.kind == "abstain" or math.isfinite(found.value)
    return found.value if found.kind == "value" else None


@pytest.mark.parametrize("name", TEXT_VERIFIERS)
@fuzzed()
@given(text=completions, answer=answers)
def test_any_text(name: str, text: str, answer: str) -> None:
    once = outcome(TEXT_VERIFIERS[name], text, answer=answer)
    assert once == outcome(TEXT_VERIFIERS[name], text, answer=answer)


@fuzzed()
@given(text=completions, options=st.lists(st.text(max_size=6), min_size=1, max_size=5), right=st.sampled_from("ABCDE"))
def test_multiple_choice(text: str, options: list[str], right: str) -> None:
    choices = {"label": list("ABCDE"[: len(options)]), "text": options}
    outcome(multiple_choice(), text, answer=right, choices=choices)


INSTRUCTIONS: list[tuple[str, dict[str, Any]]] = [
    ("length_constraints:number_words", {"relation": "at least", "num_words": 3}),
    ("length_constraints:number_sentences", {"relation": "less than", "num_sentences": 3}),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}),
    ("detectable_format:json_format", {}),
    ("detectable_format:title", {}),
    ("detectable_format:number_bullet_lists", {"num_bullets": 2}),
    ("detectable_content:postscript", {"postscript_marker": "P.S."}),
    ("keywords:frequency", {"relation": "at least", "keyword": "a", "frequency": 2}),
    ("change_case:english_lowercase", {}),
    ("punctuation:no_comma", {}),
    ("startend:quotation", {}),
]


@fuzzed()
@given(text=completions, chosen=st.lists(st.sampled_from(INSTRUCTIONS), min_size=1, max_size=3))
def test_instructions(text: str, chosen: list[tuple[str, dict[str, Any]]]) -> None:
    value = outcome(ifeval(), text, instruction_id_list=[i for i, _ in chosen], kwargs=[k for _, k in chosen])
    assert value is None or 0 <= value <= 1


@fuzzed(share=0.3)
@given(text=completions, answer=answers)
def test_mathematics(text: str, answer: str) -> None:
    """In a run it has a time limit of its own beside this."""
    value = outcome(math_verify(), text, answer=answer)
    assert value in (None, 0.0, 1.0)
