"""The simulated annotators: what they write, and how often they err."""

from __future__ import annotations

import random
import re

import pytest
from feedback_worlds import responses

from crucible.errors import UserError
from crucible.feedback.annotators import Annotator, default_annotators
from crucible.feedback.extract import HELPFULNESS, RuleExtractor
from crucible.feedback.records import Feedback

OPENING = re.compile(r"The response is (not|slightly|partially|mostly|perfectly) helpful\.")


def careful(**rates: float) -> Annotator:
    return Annotator(
        name="A", **({"error_rate": 0.0, "mention_rate": 1.0, "first_mention_rate": 1.0, "partial_rate": 0.0,
                      "invention_rate": 0.0} | rates)
    )  # fmt: skip


def extracted(task, annotator: Annotator, found) -> list[dict[str, str]]:
    extractor = RuleExtractor(task=task, own_words_rate=0, reword_rate=0, fabrication_rate=0)
    texts = [annotator.write(task, r, i, random.Random(i)) for i, r in enumerate(found)]
    return [{f.principle: f.judgement for f in extractor.extract(t)} for t in texts]


def test_every_text_opens_as_the_papers_annotators_were_told_to():
    task, found = responses(50)
    for i, response in enumerate(found):
        text = careful().write(task, response, i, random.Random(i)).text
        assert OPENING.match(text), text


def test_an_annotator_without_errors_writes_the_truth_about_every_principle():
    task, found = responses(60)
    for response, said in zip(found, extracted(task, careful(), found), strict=True):
        for principle in task.principles():
            truth = task.fulfils(response.prompt, response.text, principle)
            assert said[principle] == ("yes" if truth else "no")


def test_the_error_rate_is_the_share_of_flipped_judgements():
    task, found = responses(400)
    wrong = total = 0
    for response, said in zip(found, extracted(task, careful(error_rate=0.2), found), strict=True):
        for principle in task.principles():
            total += 1
            wrong += (said[principle] == "yes") != task.fulfils(response.prompt, response.text, principle)
    assert wrong / total == pytest.approx(0.2, abs=0.03)  # four standard errors of 2400 draws


def test_a_perfect_answer_is_perfectly_helpful_and_partial_judgements_are_written():
    task, found = responses(10)
    said = extracted(task, careful(), [found[1]])[0]
    assert said[HELPFULNESS] == "yes"
    said = extracted(task, careful(partial_rate=1.0), [found[1]])[0]
    assert {said[p] for p in task.principles()} == {"partially"}


def test_texts_depend_on_the_generator_alone():
    task, found = responses(5)
    annotator = default_annotators()[2]
    one, two = (annotator.write(task, found[0], 0, random.Random(7)) for _ in range(2))
    assert one == two
    assert isinstance(one, Feedback)
    assert annotator.write(task, found[0], 0, random.Random(8)) != one


def test_bad_rates_are_refused():
    with pytest.raises(UserError, match=r"error_rate=1\.5"):
        Annotator(name="A", error_rate=1.5)
    with pytest.raises(UserError, match="at least two annotators"):
        default_annotators([0.1])
