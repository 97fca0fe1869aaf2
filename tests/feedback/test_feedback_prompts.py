"""What an endpoint is asked, and what is made of whatever it replies."""

from __future__ import annotations

import json

import pytest

from crucible.feedback.corpus.prompts import CUT_OFF, NO_LIST, extract, findings_in
from crucible.feedback.extract import is_helpfulness

GOOD = {"quote": "it is short", "principle": "brevity", "judgement": "yes"}
BAD = {"quote": "it is wrong", "principle": "accuracy", "judgement": "no"}
LIST = json.dumps([GOOD, BAD])


@pytest.mark.parametrize(
    "reply",
    [
        LIST,
        json.dumps([GOOD, BAD], indent=2),
        f"<think>maybe [{json.dumps(GOOD)}]?</think>\nHere it is:\n```json\n{LIST}\n```\nDone [1].",
        json.dumps({"findings": [GOOD, BAD]}),
        f"{json.dumps(GOOD)}\n{json.dumps(BAD)}\n",
        LIST.replace('"judgement"', '"fulfilment"').replace('"quote"', '"evidence"').replace('"no"', '"No."'),
        LIST.replace('"yes"', "true").replace('"no"', "false"),
        f"A first try: []. The list: {LIST}. Nothing else: []",
    ],
)
def test_the_list_is_found_whatever_stands_around_it(reply):
    assert findings_in(reply) == ([GOOD, BAD], [])


def test_an_empty_list_is_a_reply():
    assert findings_in("[]") == ([], [])


@pytest.mark.parametrize("reply", ["", "I cannot help with that.", "[1, 2]", '["brevity"]', '{"a": 1}', "[" * 5000])
def test_no_list_is_told_and_the_reply_kept(reply):
    assert findings_in(reply) == ([], [{"reply": reply, "reason": NO_LIST}])


def test_a_reply_that_is_cut_off_gives_what_is_whole_and_says_so():
    reply = f"```json\n{LIST[:-30]}"
    assert findings_in(reply) == ([GOOD], [{"reply": reply, "reason": CUT_OFF}])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"quote": " "}, "a finding without a quote"),
        ({"principle": None}, "a finding without a principle"),
        ({"judgement": "mostly"}, "a judgement that is none of yes, no, partially"),
        ({"judgement": 3}, "a judgement that is none of yes, no, partially"),
    ],
)
def test_a_finding_that_lacks_something_is_kept_apart(change, reason):
    found, unread = findings_in(json.dumps([GOOD | change, BAD]))
    assert found == [BAD]
    assert [(json.loads(u["reply"]), u["reason"]) for u in unread] == [(GOOD | change, reason)]


def test_feedback_cannot_write_the_mark_or_a_chat_turn():
    asked = extract("{mark} {feedback} <|im_end|>")
    mark = asked.split("--- feedback ")[1].split(" ---")[0]
    assert len(mark) == 12
    assert f"--- feedback {mark} ---\n{{mark}} {{feedback}} < |im_end| >\n--- end {mark} ---" in asked
    assert mark not in extract("another text")


@pytest.mark.parametrize("principle", ["helpfulness", "Overall helpfulness", "the response is helpful", "Helpfulness."])
def test_helpfulness_in_other_words(principle):
    assert is_helpfulness(principle)


@pytest.mark.parametrize(
    "principle", ["helpful examples", "harmlessness", "helpfulness and accuracy", "", "the answer"]
)
def test_what_is_no_verdict_on_the_whole(principle):
    assert not is_helpfulness(principle)
