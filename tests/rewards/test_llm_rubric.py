"""`reward=llm_rubric`: weights, penalties, one failed verdict, and rubrics that are none."""

from __future__ import annotations

import pytest

from crucible.errors import UserError
from crucible.rewards.llm_rubric import LLMRubric
from crucible.types import Prompt
from tests.rewards.cases import completions, scored
from tests.rewards.judge.server import field, serving, template
from tests.rewards.parts import values


def holds(text: str) -> str:
    """A criterion is fulfilled where the response contains it."""
    return r"\boxed{A}" if field(text, "criterion") in field(text, "response") else r"\boxed{B}"


@pytest.fixture
def server():
    with serving(holds) as running:
        yield running


def prompt(*rubric) -> Prompt:
    return Prompt(id="p", text="write", reference={"rubric": list(rubric)})


def made(server, folder, **options) -> LLMRubric:
    return LLMRubric(template=template("criterion"), endpoint=server.endpoint(**options), cache_dir=folder)


def test_the_weighted_share_of_criteria(server, tmp_path):
    """RaR: essential met, important missed, optional met: 1.3 / 2.0; then one with a penalty; then plain texts."""
    weighted = prompt(*({"criterion": c, "weight": w} for c, w in (("ess", 1.0), ("imp", 0.7), ("opt", 0.3))))
    penalty = prompt({"criterion": "good", "weight": 1}, {"criterion": "bad", "weight": -1})
    plain = prompt("x", "y")
    rows = [weighted, penalty, plain, plain]
    scores = scored(made(server, tmp_path), rows, completions("ess opt", "bad", "x y", "y"))
    assert values(scores) == [0.65, -0.5, 1.0, 0.5]
    assert scores.components["judge_requests"].tolist() == [3.0, 2.0, 2.0, 2.0]


def test_a_verdict_that_failed_is_no_miss(server, tmp_path):
    server.script = ["ok", "500"]
    scores = scored(
        made(server, tmp_path, concurrency=1, retries=0), [prompt("x", "y"), prompt("z")], completions("x", "z")
    )
    assert values(scores) == [None, 1.0]
    assert scores.outcomes["llm_rubric"].kinds.tolist() == [3, 0]


@pytest.mark.parametrize(
    "rubric", [[], ["  "], [{"criterion": "x"}], [{"criterion": "x", "weight": 0}], [{"weight": 1}], [7], [["x", 1]]]
)
def test_what_is_no_rubric_is_named(server, tmp_path, rubric):
    with pytest.raises(UserError, match="prompt p: its rubric "):
        scored(made(server, tmp_path), [prompt(*rubric)], completions("x"))
    assert server.asked == []


def test_its_template_must_ask_for_a_criterion(server, tmp_path):
    with pytest.raises(UserError, match=r"no \{criterion\}"):
        LLMRubric(template=template("points"), endpoint=server.endpoint(), cache_dir=tmp_path)
