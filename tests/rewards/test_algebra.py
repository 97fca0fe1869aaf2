"""The nodes made of several parts: their totals on worked numbers, and which rows have none."""

from __future__ import annotations

import math

import pytest
import torch

from crucible.errors import UserError
from crucible.rewards.ensemble import Ensemble
from crucible.rewards.gated import Gated
from crucible.rewards.hybrid import Hybrid
from crucible.rewards.log_sigmoid import LogSigmoid
from crucible.rewards.product import Product
from crucible.rewards.route import Route
from crucible.rewards.rubric import Rubric
from crucible.types import Prompt
from tests.rewards.cases import completions, scored
from tests.rewards.parts import NONE, Fixed, of, values


def test_product():
    scores = of(Product(parts={"a": Fixed(2.0, 0.0, 0.0, 3.0), "b": Fixed(0.5, 1.0, NONE, NONE)}), 4)
    assert values(scores) == [1.0, 0.0, None, None], "0 times an unknown number is unknown"
    assert scores.components["a"].tolist() == [2.0, 0.0, 0.0, 3.0]


def test_gate():
    form, right, short = Fixed(1.0, 0.0, NONE, 1.0), Fixed(3.0, 3.0, 3.0, NONE), Fixed(0.5, 0.5, 0.5, 0.5)
    reward = Gated(parts={"form": form, "right": right, "short": short}, gate="form", above=0.5, closed=-1.0)
    scores = of(reward, 4)
    assert values(scores) == [3.5, -1.0, None, None]
    assert right.asked == short.asked == [[0, 3]], "what stands behind a shut gate is not asked"
    assert next(iter(scores.components)) == "form"
    assert torch.equal(scores.components["short"].isnan(), torch.tensor([False, True, True, False]))
    assert len(scores.outcomes["right/inner"].kinds) == 2, "calls there were"


def test_a_gate_that_is_shut_for_all_asks_nobody_and_one_open_for_all_everybody():
    right = Fixed(3.0, 4.0)
    assert values(of(Gated(parts={"g": Fixed(0.0, 0.0), "right": right}, gate="g"), 2)) == [0.0, 0.0]
    assert right.asked == []
    assert values(of(Gated(parts={"g": Fixed(1.0, 1.0), "right": right}, gate="g"), 2)) == [3.0, 4.0]
    assert right.asked == [[0, 1]]


def test_a_gate_that_opens_at_its_threshold_is_shut():
    assert values(of(Gated(parts={"g": Fixed(0.5, 0.6), "x": Fixed(1.0, 1.0)}, gate="g", above=0.5), 2)) == [0.0, 1.0]


def test_a_gate_in_a_gate_is_an_order_of_priorities():
    inner = Gated(parts={"tests": Fixed(1.0, 1.0, 0.0), "style": Fixed(0.3, 0.3, 0.3)}, gate="tests")
    scores = of(Gated(parts={"compiles": Fixed(1.0, 0.0, 1.0), "rest": inner}, gate="compiles"), 3)
    assert values(scores) == [pytest.approx(0.3), 0.0, 0.0]
    assert {"rest", "rest/tests", "rest/style"} <= set(scores.components)


def test_hybrid_asks_the_model_where_the_rule_accepts_nothing():
    model = Fixed(0.0, 1.0, 1.0, NONE)
    scores = of(Hybrid(rule=Fixed(1.0, 0.0, NONE, 0.0), model=model), 4)
    assert values(scores) == [1.0, 1.0, 1.0, None]
    assert model.asked == [[1, 2, 3]]


def test_log_sigmoid_on_the_worked_numbers():
    """2402.00742: reference mean + 1.036433 std; of two responses with equal sums the balanced one wins."""
    one = LogSigmoid(parts={"a": Fixed(2.0)}, references={"a": 1 + 1.036433 * 0.5})
    assert values(of(one, 1)) == [pytest.approx(-0.480994, abs=1e-6)]
    two = LogSigmoid(parts={"a": Fixed(1.0, -0.5, 5.0), "b": Fixed(-2.0, -0.5, NONE)}, references={"a": 0.0, "b": 0.0})
    assert values(of(two, 3)) == [pytest.approx(-2.440190, abs=1e-6), pytest.approx(-1.948154, abs=1e-6), None]


def test_log_sigmoid_takes_the_reference_of_each_prompt():
    reward = LogSigmoid(parts={"a": Fixed(2.0, 2.0)}, references={"a": "usual"})
    assert reward.needs == ("usual",)
    prompts = [Prompt(id=str(i), reference={"usual": usual}) for i, usual in enumerate((2, 0.0))]
    expected = [math.log(1 / (1 + math.exp(-x))) for x in (0.0, 2.0)]
    assert scored(reward, prompts, completions("0", "1")).total.tolist() == pytest.approx(expected, abs=1e-6)
    with pytest.raises(UserError, match="reference usual of prompt p is 'high', no number"):
        scored(reward, [Prompt(id="p", reference={"usual": "high"})], completions("0"))


def test_rubric_on_the_worked_numbers():
    """RaR: an essential criterion met, an important one missed, an optional one met: 1.3 / 2.0."""
    parts = {"e": Fixed(1.0, 1.0), "i": Fixed(0.0, NONE), "o": Fixed(1.0, 1.0)}
    assert values(of(Rubric(parts=parts, weights={"e": 1.0, "i": 0.7, "o": 0.3}), 2)) == [0.65, None]
    penalty = Rubric(parts={"good": Fixed(0.0, 1.0), "bad": Fixed(1.0, 0.5)}, weights={"good": 1.0, "bad": -1.0})
    assert values(of(penalty, 2)) == [-0.5, 0.25]
    free = Rubric(parts={"a": Fixed(1.0), "b": Fixed(NONE)}, weights={"a": 2.0, "b": 0.0})
    assert values(of(free, 1)) == [1.0], "a criterion of weight 0 does not count"


@pytest.mark.parametrize(
    ("rule", "sample", "expected"),
    [
        ("mean", True, 7 / 3), ("median", True, 2.0), ("min", True, 1.0), ("mean_minus_std", True, 0.805808),
        ("mean_minus_variance", False, 2.177778), ("mean_minus_variance", True, 2.1),
    ],
)  # fmt: skip
def test_ensembles_on_the_worked_numbers(rule, sample, expected):
    """2310.02743, 2312.09244: members 1, 2, 4."""
    parts = {"a": Fixed(1.0, 1.0), "b": Fixed(2.0, NONE), "c": Fixed(4.0, 4.0)}
    scores = of(Ensemble(parts=parts, rule=rule, sample=sample), 2)
    assert values(scores) == [pytest.approx(expected, abs=1e-6), None]
    assert scores.components["disagreement"][1].isnan()
    alone = of(Ensemble(parts={"a": Fixed(3.0)}, rule=rule, sample=sample), 1)
    assert values(alone) == [3.0]
    assert alone.components["disagreement"].tolist() == [0.0]


def routed(reward: Route, *sources: str):
    prompts = [Prompt(id=str(i), source=source, reference={"tests": "t"}) for i, source in enumerate(sources)]
    return scored(reward, prompts, completions(*map(str, range(len(sources)))))


def test_route_asks_each_part_about_its_own_sources():
    maths, code, rest = Fixed(1.0, 9, 9, NONE), Fixed(9, 2.0, 9, 9, needs=["tests"]), Fixed(9, 9, 3.0, 9)
    reward = Route(
        parts={"maths": maths, "code": code, "rest": rest}, sources={"maths": ["gsm8k", "math"], "code": ["mbpp"]},
        otherwise="rest",
    )  # fmt: skip
    scores = routed(reward, "gsm8k", "mbpp", "poems", "math")
    assert values(scores) == [1.0, 2.0, 3.0, None]
    assert (maths.asked, code.asked, rest.asked) == ([[0, 3]], [[1]], [[2]])
    assert scores.components["code"].isnan().tolist() == [True, False, True, True]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: routed(Route(parts={"a": Fixed(1.0)}, sources={"a": ["math"]}), "maths"), 'did you mean "math"'),
        (lambda: routed(Route(parts={"a": Fixed(1.0, needs=["gold"])}, sources={"a": ["m"]}), "m"), "reference gold"),
        (lambda: Route(parts={"a": Fixed(1.0)}, sources={"b": ["math"]}), "no part b"),
        (lambda: Route(parts={"a": Fixed(), "b": Fixed()}, sources={"a": ["m"], "b": ["m"]}), "both a and b"),
        (lambda: Gated(parts={"form": Fixed(), "x": Fixed()}, gate="from"), 'did you mean "form"'),
        (lambda: Gated(parts={"form": Fixed()}, gate="form"), "nothing stands behind"),
        (lambda: LogSigmoid(parts={"a": Fixed()}, references={}), "no reference for part a"),
        (lambda: LogSigmoid(parts={"a": Fixed()}, references={"a": 0.0, "b": 0.0}), r"references\.b: there is no"),
        (lambda: Rubric(parts={"a": Fixed()}, weights={"a": 0.0}), "asks for nothing"),
        (lambda: Ensemble(parts={"a": Fixed()}, rule="median_"), 'did you mean "median"'),
        (lambda: Ensemble(parts={"a": Fixed()}, penalty=-1.0), "penalty=-1"),
        (lambda: Product(parts={}), "no parts"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_one_line(make, message):
    with pytest.raises(UserError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_the_order_of_the_rows_does_not_matter():
    a, b = [0.3, -1.0, NONE, 2.0, 0.5], [1.0, NONE, 0.0, 0.4, 0.0]
    order = [3, 0, 4, 1, 2]
    for make in (
        lambda x, y: Product(parts={"a": x, "b": y}), lambda x, y: Gated(parts={"a": x, "b": y}, gate="b"),
        lambda x, y: Hybrid(rule=x, model=y), lambda x, y: Ensemble(parts={"a": x, "b": y}),
        lambda x, y: LogSigmoid(parts={"a": x, "b": y}, references={"a": 0.0, "b": 0.5}),
    ):  # fmt: skip
        plain = values(of(make(Fixed(*a), Fixed(*b)), 5))
        turned = values(of(make(Fixed(*(a[i] for i in order)), Fixed(*(b[i] for i in order))), 5))
        assert turned == [plain[i] for i in order]
        assert None in plain
