from __future__ import annotations

import pytest
import torch

from crucible.errors import UserError
from crucible.rewards.rlcr import RLCR, answer_and_confidence
from crucible.types import Scores
from tests.rewards.cases import completions, prompt, scored


class Says:
    """Right where the text is the reference answer; no verdict on `?`."""

    needs = ("answer",)

    def __call__(self, prompts, rows, context):
        total = torch.tensor([float(c.text == p.reference["answer"]) for p, c in zip(prompts, rows, strict=True)])
        valid = torch.tensor([c.text != "?" for c in rows])
        return Scores(total, {"says": total}, valid=None if valid.all() else valid)


def text(answer, confidence):
    return (
        f"<think>t</think> <answer>{answer}</answer><analysis>a</analysis>\n<confidence> {confidence} </confidence>\n"
    )


@pytest.mark.parametrize(("form", "right", "wrong"), [("paper", 0.99, -0.81), ("code", 1.495, 0.595)])
def test_worked_numbers(form, right, wrong):
    rows = completions(text("5", 0.9), text("6", 0.9), "5", text("?", 0.9))
    scores = scored(RLCR(correct=Says(), form=form), [prompt(answer="5")] * 4, rows)
    assert scores.total.tolist() == pytest.approx([right, wrong, 0.0, 0.0], abs=1e-6)
    assert scores.valid.tolist() == [True, True, True, False]
    assert scores.components["format"].tolist() == [1, 1, 0, 1]
    assert scores.components["brier"][:2].tolist() == pytest.approx([0.01, 0.81], abs=1e-6)
    assert torch.isnan(scores.components["confidence"]).tolist() == [False, False, True, False]
    assert torch.isnan(scores.components["brier"]).tolist() == [False, False, True, True]


@pytest.mark.parametrize("form", ["paper", "code"])
@pytest.mark.parametrize("chance", [0.0, 0.3, 0.8, 1.0])
def test_the_truth_is_the_best_confidence(form, chance):
    """Brier's score is proper: at a chance p of being right, q = p maximises the expected reward."""
    grid = [i / 20 for i in range(21)]
    rows = completions(*(text(a, q) for q in grid for a in ("5", "6")))
    total = scored(RLCR(correct=Says(), form=form), [prompt(answer="5")] * len(rows), rows).total.view(-1, 2)
    expected = chance * total[:, 0] + (1 - chance) * total[:, 1]
    assert grid[int(expected.argmax())] == pytest.approx(chance, abs=1e-6)


@pytest.mark.parametrize(
    "broken",
    [
        text("5", 1.1), text("5", "-0"), text("5", "high"), text("5", "1e-1"), text("5", ""), text("5", "nan"),
        text("5", 0.5) + "more", text("5", 0.5) + text("5", 0.5), text("5", 0.5).replace("</analysis>", ""),
        "<confidence>0.5</confidence>" + text("5", 0.5),
        "<answer>5</answer><think></think><analysis></analysis><confidence>1</confidence>",
    ],
)  # fmt: skip
def test_broken_formats(broken):
    assert answer_and_confidence(broken) is None


@pytest.mark.parametrize(("stated", "q"), [("0", 0.0), ("1", 1.0), (".25", 0.25), ("1.0", 1.0), ("0.333", 0.333)])
def test_confidences(stated, q):
    assert answer_and_confidence(text("5", stated)) == ("5", q)


def test_an_unknown_form_is_refused():
    with pytest.raises(UserError, match=r"reward\.form"):
        RLCR(correct=Says(), form="papers")
