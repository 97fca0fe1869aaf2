"""The rewards that TRL also has, on the same completions: the same numbers."""

from __future__ import annotations

import random

import pytest

from crucible.rewards.cosine_length import CosineLength
from crucible.rewards.length import length
from crucible.rewards.math_verify import math_verify
from crucible.rewards.reasoning_accuracy import ReasoningAccuracy
from crucible.rewards.repetition import repeated
from crucible.rewards.tags import tags
from crucible.types import Completion
from tests.rewards.cases import completions, prompt, scored

pytestmark = pytest.mark.slow

GOLD = r"$\frac{1}{3}$"
TEXTS = [
    r"\boxed{\frac{1}{3}}", r"\boxed{\frac{1}{2}}", r"the answer is $\frac{2}{6}$", "1/3", r"\boxed{0.333333}", "",
    r"<think>\boxed{\frac{1}{3}}</think>no", r"a</think>b</think>\boxed{\frac13}", r"$\frac{1}{3}$", r"\boxed{x}",
    r"</think>Answer: $\frac{1}{3}$", r"\boxed{\dfrac{3}{9}} and then \boxed{7}",
]  # fmt: skip
MESSAGES = [[{"content": text}] for text in TEXTS]


def ids(seed):
    draw = random.Random(seed)
    return [[draw.randrange(4) for _ in range(draw.randrange(12))] for _ in range(40)]


@pytest.fixture(scope="module")
def trl_rewards():
    return pytest.importorskip("trl.rewards")


def test_accuracy(trl_rewards):
    mine = scored(math_verify(), [prompt(answer=GOLD)] * len(TEXTS), completions(*TEXTS)).total.tolist()
    assert mine == trl_rewards.accuracy_reward(MESSAGES, [GOLD] * len(TEXTS))


def test_reasoning_accuracy(trl_rewards):
    reward = ReasoningAccuracy(score=math_verify())
    mine = scored(reward, [prompt(answer=GOLD)] * len(TEXTS), completions(*TEXTS)).total.tolist()
    assert mine == trl_rewards.reasoning_accuracy_reward(MESSAGES, [GOLD] * len(TEXTS))


def test_think_format(trl_rewards):
    pieces = ["<think>", "</think>", "a", "\n", ""]
    texts = ["".join(random.Random(i).choices(pieces, k=5)) for i in range(300)]
    mine = scored(tags(), [prompt()] * len(texts), completions(*texts)).total.tolist()
    assert mine == trl_rewards.think_format_reward([[{"content": text}] for text in texts])
    assert 0 < sum(mine) < len(mine)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_repetition(trl_rewards, n):
    theirs = trl_rewards.get_repetition_penalty_reward(ngram_size=n, max_penalty=-1.0)(ids(n))
    assert [-repeated(row, n) for row in ids(n)] == pytest.approx(theirs)
    assert min(theirs) < 0


def test_soft_overlong(trl_rewards):
    theirs = trl_rewards.get_soft_overlong_punishment(max_completion_len=9, soft_punish_cache=4)(ids(5))
    rows = [Completion("", len(row)) for row in ids(5)]
    mine = scored(length(max_tokens=9, buffer_tokens=4), [prompt()] * 40, rows).total.tolist()
    assert mine == pytest.approx(theirs)


def test_cosine(trl_rewards):
    rows = [Completion(text, 7 * i) for i, text in enumerate(TEXTS)]
    theirs = trl_rewards.get_cosine_scaled_reward(max_len=50)(
        MESSAGES, [GOLD] * len(TEXTS), [[1] * row.tokens for row in rows]
    )
    reward = CosineLength(correct=math_verify(), max_tokens=50)
    assert scored(reward, [prompt(answer=GOLD)] * len(rows), rows).total.tolist() == pytest.approx(theirs, abs=1e-6)
