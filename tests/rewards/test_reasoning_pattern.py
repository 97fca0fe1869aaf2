from __future__ import annotations

import pytest

from crucible.errors import UserError
from crucible.rewards.reasoning_pattern import PHRASES, reasoning_pattern
from tests.rewards.cases import completions, prompt, scored

BOX = r" \boxed{1}"


def value(text, **options):
    return scored(reasoning_pattern(**options), [prompt()], completions(text)).total.item()


def test_there_are_forty_phrases_in_lower_case_and_none_is_in_another():
    assert len(set(PHRASES)) == len(PHRASES) == 40
    assert all(p == p.lower() for p in PHRASES)
    assert not [(p, q) for p in PHRASES for q in PHRASES if p != q and p in q]


def test_worked_numbers():
    assert value(". ".join(PHRASES[:5]) + BOX) == 0.25
    assert value(". ".join(PHRASES[:5] * 2) + BOX) == 0.25  # each counts once
    assert value(". ".join(PHRASES).upper() + BOX) == 1.0


def test_repetition_and_invented_turns_are_deducted():
    many = ". ".join(PHRASES)
    assert value(many + " user: hm" + BOX) == 0.0
    words = " ".join(f"w{i}" for i in range(20))
    repeated = f"{many} {words} {words}{BOX}"
    total = len(repeated.lower().split()) - 19
    assert value(repeated) == pytest.approx(1 - 1 / total, abs=1e-6)  # one 20-gram occurs twice
    loop = " ".join([words] * 3)
    assert value(f"nothing {loop}{BOX}") == 0.0  # never below 0


def test_only_an_answered_text_earns_and_only_what_follows_the_mark():
    assert value("let us see") == 0.0
    assert value("let us see", need_answer=False) == pytest.approx(0.05)
    assert value("let us <think> however" + BOX) == pytest.approx(0.05)
    assert value("let us <think> however" + BOX, thoughts_from="") == pytest.approx(0.1)


def test_own_phrases():
    assert value("Hmm, yes" + BOX, phrases=["hmm", "YES", "no"], full_at=4) == 0.5


@pytest.mark.parametrize("options", [{"phrases": []}, {"phrases": ["a", " "]}, {"full_at": 0}])
def test_senseless_options_are_refused(options):
    with pytest.raises(UserError, match=f"reward.{next(iter(options))}"):
        reasoning_pattern(**options)
