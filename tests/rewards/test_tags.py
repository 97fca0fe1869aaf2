from __future__ import annotations

import pytest

from crucible.errors import UserError
from crucible.rewards.tags import tags
from tests.rewards.cases import completions, prompt, scored

WHOLE = "<think>\na\n</think>\n<answer>\nb\n</answer>"


@pytest.mark.parametrize(
    ("rule", "text", "expected"),
    [
        ("count", WHOLE, 1.0),  # open-r1's worked numbers
        ("count", WHOLE.removesuffix("</answer>"), 0.75),
        ("count", WHOLE + WHOLE, 0.0),
        ("think_answer", WHOLE, 1.0),
        ("think_answer", WHOLE + "\n", 0.0),
        ("think_answer", WHOLE.replace("\n", " "), 0.0),
        ("think_answer", WHOLE.replace("b", "<answer>b"), 0.0),
        ("think", "<think>a</think>b", 1.0),
        ("think", " <think>a</think>b", 0.0),
        ("think", "<think>a", 0.0),
        ("think", "<think>a<think>b</think>", 0.0),
        ("order", "x<think></think><answer></answer>y", 1.0),
        ("order", "<answer></answer><think></think>", 0.0),
        ("order", "<think></think><answer></answer></answer>", 0.0),
        ("order", "", 0.0),
    ],
)
def test_values(rule, text, expected):
    assert scored(tags(rule=rule), [prompt()], completions(text)).total.item() == expected


def test_the_value_scales_it():
    assert scored(tags(rule="count", value=2.0), [prompt()], completions(WHOLE[:-1])).total.item() == 1.5


def test_an_unknown_rule_is_refused():
    with pytest.raises(UserError, match='did you mean "think"'):
        tags(rule="thinks")
