from __future__ import annotations

import pytest

from crucible.errors import UserError
from crucible.rewards.gsm8k import gsm8k
from tests.rewards.cases import completions, prompt, scored


def value(gold, text, **options):
    return scored(gsm8k(**options), [prompt(answer=gold)], completions(text)).total.item()


@pytest.mark.parametrize(
    ("method", "gold", "text", "expected"),
    [
        ("strict", "1234", "so\n#### 1,234", 1.0),  # verl's worked numbers
        ("strict", "1234", "the answer is 1234.", 0.0),
        ("flexible", "1234", "the answer is 1234.", 0.0),  # the full stop belongs to the run: "1234." is not "1234"
        ("flexible", "1234", "the answer is 1234 ,.", 1.0),
        ("strict", "18", "#### 18.0", 0.0),
        ("strict", "18", "#### 17\n#### 18", 1.0),
        ("strict", "-3", "#### -3", 1.0),
        ("strict", "1,234", "#### 1234", 1.0),
        ("last_number", "1234", "it costs 1,234 dollars.", 1.0),
        ("last_number", "1.5", "1,234 times 1.5.", 1.0),
        ("last_number", "7", "none", 0.0),
    ],
)
def test_values(method, gold, text, expected):
    assert value(gold, text, method=method) == expected


def test_compared_as_values():
    assert value("18", "#### 18.0", compare="value") == 1.0
    assert value("1234", "the answer is 1,234.", method="flexible", compare="value") == 1.0
    assert value("18", "#### 18.5", compare="value") == 0.0


def test_only_the_window_is_read():
    assert value("18", "#### 18" + " " * 300) == 0.0
    assert value("18", "#### 18" + " " * 300, window=None) == 1.0
    assert value("18", "18" + "." * 400, method="last_number") == 1.0


def test_another_number_earns_the_format_score_and_none_nothing():
    options = {"score": 2.0, "format_score": 0.1}
    assert [round(value("18", text, **options), 6) for text in ("#### 18", "#### 19", "eighteen")] == [2.0, 0.1, 0.0]


@pytest.mark.parametrize("options", [{"method": "strickt"}, {"compare": "numbers"}, {"window": 0}])
def test_senseless_options_are_refused(options):
    with pytest.raises(UserError, match=f"reward.{next(iter(options))}"):
        gsm8k(**options)
