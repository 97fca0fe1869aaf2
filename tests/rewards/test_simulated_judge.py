from __future__ import annotations

import random

import pytest

from crucible.errors import UserError
from crucible.rewards.simulated_judge import simulated_judge
from crucible.verification.judges import EmbeddedJudge
from crucible.verification.records import Problem, Solution
from tests.rewards.cases import completions, prompt, scored

GOLD = {"gold": ["assert f(2) == 4", "assert f(3) == 9"], "entry_point": "f"}
RIGHT, WRONG = "```python\ndef f(x): return x * x\n```", "```python\ndef f(x): return x + x\n```"


def said(texts, **options):
    return scored(simulated_judge(**options), [prompt(**GOLD)] * len(texts), completions(*texts)).total.tolist()


def test_without_errors_it_is_the_truth():
    assert said([RIGHT, WRONG, "nothing"], false_accept=0.0, false_reject=0.0) == [1.0, 0.0, 0.0]


def test_with_certain_errors_it_is_the_opposite():
    assert said([RIGHT, WRONG], false_accept=1.0, false_reject=1.0) == [0.0, 1.0]


@pytest.mark.slow
def test_it_errs_at_its_rates_on_the_same_programs_each_time():
    texts = [f"# {i}\n{RIGHT if i % 2 else WRONG}" for i in range(200)]
    first = said(texts, false_accept=0.4, false_reject=0.2)
    accepted = sum(first[0::2]) / 100
    rejected = 1 - sum(first[1::2]) / 100
    assert 0.25 < accepted < 0.55  # three standard deviations
    assert 0.08 < rejected < 0.32
    order = random.Random(0).sample(range(200), 200)
    again = said([texts[i] for i in order], false_accept=0.4, false_reject=0.2)
    assert again == [first[i] for i in order]
    assert said(texts, false_accept=0.4, false_reject=0.2, judge_seed=1) != first


def test_it_is_the_judge_of_the_supervised_study():
    texts = [f"# {i}\n{RIGHT if i % 2 else WRONG}" for i in range(60)]
    asked = prompt(**GOLD)
    judge = EmbeddedJudge(false_accept=0.3, false_reject=0.3, seed=5)
    problem = Problem(problem=asked.id, prompt=asked.text)
    solutions = [Solution(problem=asked.id, solution=str(i), completion=text) for i, text in enumerate(texts)]
    expected = judge.scores(problem, solutions, [bool(i % 2) for i in range(60)])
    assert said(texts, false_accept=0.3, false_reject=0.3, judge_seed=5) == expected


@pytest.mark.parametrize("options", [{"false_accept": 1.1}, {"false_reject": -0.1}])
def test_a_rate_is_a_share(options):
    with pytest.raises(UserError, match=r"reward\.false_.*: a share, from 0 to 1"):
        simulated_judge(**options)
